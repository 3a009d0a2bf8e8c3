internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SergeantCG

/// Serves a site over HTTP/1.1, on one thread. SwiftNIO reads and writes HTTP.
struct HTTPServer: Sendable {
    private typealias Connection = NIOAsyncChannel<NIOHTTPServerRequestFull, HTTPServerResponsePart>

    /// One more is closed at once.
    private static let mostConnections = 256
    /// Nobody has anything to send that is longer, in bytes.
    private static let longestBody = 4096
    /// For a question to come whole, for a client that is done to ask again, and for one to read what it is sent.
    private static let patience: TimeAmount = .seconds(60)

    private let site: Site

    init(_ site: Site) {
        self.site = site
    }

    /// Serves until the program ends.
    ///
    /// - Parameter begun: is told the address that it listens at.
    /// - Throws: ``SupervisorError`` where it cannot listen there.
    func serve(_ endpoint: Endpoint, begun: (Endpoint) -> Void) async throws {
        do {
            let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        // Where no descriptor is left, it waits for one.
                        try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                    }
                }
                .bind(host: endpoint.host, port: Int(endpoint.port)) { channel in
                    channel.eventLoop.makeCompletedFuture { try Self.prepare(channel) }
                }
            begun(endpoint)
            try await server.executeThenClose { try await serve($0) }
        } catch {
            let number = (error as? IOError)?.errnoCode
            let reason = number.map { "\(String(cString: strerror($0))) (errno \($0))" } ?? "\(error)"
            throw SupervisorError(.system, "cannot serve at \(endpoint): \(reason)", errno: number)
        }
    }

    private func serve(_ connections: NIOAsyncChannelInboundStream<Connection>) async throws {
        try await withThrowingDiscardingTaskGroup { tasks in
            let open = Count()
            for try await connection in connections {
                tasks.addTask {
                    let isWelcome = await open.begin() <= Self.mostConnections
                    // A client that leaves in the middle is no fault of anybody's.
                    try? await connection.executeThenClose { questions, answers in
                        if isWelcome { try await serve(questions, answers, connection.channel) }
                    }
                    await open.end()
                }
            }
        }
    }

    private static func prepare(_ channel: any Channel) throws -> Connection {
        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
        try channel.pipeline.syncOperations.addHandler(
            NIOHTTPServerRequestAggregator(maxContentLength: longestBody))
        return try Connection(wrappingChannelSynchronously: channel)
    }

    private func serve(
        _ questions: NIOAsyncChannelInboundStream<NIOHTTPServerRequestFull>,
        _ answers: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>, _ channel: any Channel
    ) async throws {
        var questions = questions.makeAsyncIterator()
        while let question = try await within(channel, { try await questions.next() }) {
            let answer = await answer(question.head)
            try await send(answer, to: question.head, answers, channel)
            guard question.head.isKeepAlive, !answer.isEndless else { return }
        }
    }

    private func answer(_ head: HTTPRequestHead) async -> Site.Answer {
        guard [.GET, .HEAD].contains(head.method) else {
            return .text(.methodNotAllowed, "nothing can be changed here\n")
        }
        let path = head.uri.prefix { $0 != "?" }
        return await site.answer(
            Site.Question(
                path: String(path), accepts: head.headers["accept"].joined(separator: ","),
                lastEvent: head.headers.first(name: "last-event-id").flatMap { UInt64($0) }))
    }

    private func send(
        _ answer: Site.Answer, to question: HTTPRequestHead,
        _ answers: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>, _ channel: any Channel
    ) async throws {
        var headers = HTTPHeaders([
            ("content-type", answer.type), ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'self'; img-src data:; frame-ancestors 'none'"),
        ])
        if answer.status == .methodNotAllowed { headers.add(name: "allow", value: "GET, HEAD") }
        if case .bytes(let bytes) = answer.body {
            headers.add(name: "content-length", value: "\(bytes.count)")
        }
        if !question.isKeepAlive || answer.isEndless { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(
            version: question.version, status: HTTPResponseStatus(statusCode: answer.status.rawValue),
            headers: headers)
        try await within(channel) { try await answers.write(.head(head)) }
        if question.method != .HEAD {
            switch answer.body {
            case .bytes(let bytes):
                try await within(channel) {
                    try await answers.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
                }
            case .events(let items):
                for await item in items {
                    let text = ByteBuffer(string: item.text)
                    try await within(channel) { try await answers.write(.body(.byteBuffer(text))) }
                }
            }
        }
        try await within(channel) { try await answers.write(.end(nil)) }
    }

    /// A client that is slower than that is left.
    private func within<Result>(
        _ channel: any Channel, _ step: () async throws -> Result
    ) async rethrows -> Result {
        let end = channel.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        defer { end.cancel() }
        return try await step()
    }
}

/// How many connections are open.
private actor Count {
    private var count = 0

    func begin() -> Int {
        count += 1
        return count
    }

    func end() { count -= 1 }
}

extension Site.Answer {
    fileprivate var isEndless: Bool { if case .events = body { true } else { false } }
}

extension EventFeed.Item {
    /// As server-sent events are written.
    fileprivate var text: String {
        switch self {
        // A line of the JSON log has no line break in it.
        case .event(let event): "id: \(event.number)\ndata: \(event.line)\n\n"
        case .silence: ":\n\n"
        }
    }
}
