internal import SergeantCG

/// What is to be had at which path.
struct Site: Sendable {
    /// What a client gets.
    struct Answer: Sendable {
        enum Status: Int {
            case ok = 200
            case notFound = 404
            case methodNotAllowed = 405
            case unavailable = 503
        }

        enum Body: Sendable {
            case bytes([UInt8])
            /// Goes on until the client leaves: server-sent events.
            case events(AsyncStream<EventFeed.Item>)
        }

        var status: Status
        var type: String
        var body: Body

        static func text(_ status: Status, _ text: String, type: String = "text/plain; charset=utf-8")
            -> Answer
        {
            Answer(status: status, type: type, body: .bytes(Array(text.utf8)))
        }
    }

    /// A question, as far as it matters here.
    struct Question: Sendable {
        var path: String
        /// Of the header `Accept`.
        var accepts: String
        /// Of the header `Last-Event-ID`: <https://html.spec.whatwg.org/multipage/server-sent-events.html>
        var lastEvent: UInt64?
    }

    private let source: StatusSource
    private let feed: EventFeed

    init(_ source: StatusSource, _ feed: EventFeed) {
        self.source = source
        self.feed = feed
    }

    func answer(_ question: Question) async -> Answer {
        switch question.path {
        case "/": page(PackageResources.page_html, "text/html")
        case "/page.css": page(PackageResources.page_css, "text/css")
        case "/page.js": page(PackageResources.page_js, "text/javascript")
        case "/metrics": await metrics(question.accepts)
        case "/status": await withStatus { .text(.ok, $0.text, type: "application/json") }
        case "/events":
            Answer(
                status: .ok, type: "text/event-stream", body: .events(feed.items(after: question.lastEvent)))
        case "/healthz": await withStatus { .text(.ok, "\($0.report.name) answers\n") }
        case "/readyz":
            await withStatus { status in
                let state = status.report.state
                return .text(
                    state == .ready ? .ok : .unavailable, "\(status.report.name) is \(state.rawValue)\n")
            }
        default: .text(.notFound, "there are /, /metrics, /healthz and /readyz\n")
        }
    }

    private func page(_ bytes: [UInt8], _ type: String) -> Answer {
        Answer(status: .ok, type: "\(type); charset=utf-8", body: .bytes(bytes))
    }

    private func metrics(_ accepts: String) async -> Answer {
        await withStatus { status in
            let metrics = Metrics(status.report)
            guard accepts.contains("application/openmetrics-text") else {
                return .text(.ok, metrics.text(.prometheus), type: "text/plain; version=0.0.4; charset=utf-8")
            }
            return .text(
                .ok, metrics.text(.openmetrics),
                type: "application/openmetrics-text; version=1.0.0; charset=utf-8")
        }
    }

    private func withStatus(_ answer: ((report: StatusReport, text: String)) -> Answer) async -> Answer {
        switch await source.status() {
        case .success(let status): answer(status)
        case .failure(let error): .text(.unavailable, "\(error)\n")
        }
    }
}
