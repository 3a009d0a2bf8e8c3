internal import CLinux
internal import Glibc

/// The caller's end of a control socket. It waits for what it asks, up to a limit.
package final class ControlClient {
    /// Replies may be long: a line for each worker.
    private static let capacity = 64 << 20
    /// How long the supervisor may say nothing, in seconds.
    private static let patience = 30

    package let path: String
    private let descriptor: Descriptor
    private var buffer = MessageBuffer(capacity: ControlClient.capacity)

    private init(path: String, _ descriptor: consuming Descriptor) {
        self.path = path
        self.descriptor = descriptor
    }

    /// Reaches the supervisor at `path`, the one of this name, or the only one there is.
    package static func reach(path: String?, name: String?) throws(SupervisorError) -> ControlClient {
        let candidates = path.map { [$0] } ?? ControlPath.candidates(name: name)
        var found: [ControlClient] = []
        var refused: String?
        for candidate in candidates {
            let result = UnixSocket.make(blocking: true)
            let socket = try Descriptor(result, operation: "make a socket", errno: errno)
            var limit = timeval(tv_sec: patience, tv_usec: 0)
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                // Without it, it waits longer.
                _ = setsockopt(
                    socket.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            switch UnixSocket.connect(socket.number, to: candidate) {
            case 0: found.append(ControlClient(path: candidate, socket))
            case EACCES, EPERM: refused = candidate
            // Nobody listens: it was left by a supervisor that was killed.
            default: break
            }
        }
        if found.count > 1 {
            let paths = found.map(\.path).joined(separator: ", ")
            throw SupervisorError(
                .unreachable, "several supervisors run, choose one with --name or --control: \(paths)")
        }
        if let only = found.first { return only }
        if let refused {
            throw SupervisorError(
                .notPermitted, "the control socket \(refused) is for the user of its supervisor, and for root"
            )
        }
        let wanted = path.map { " at \($0)" } ?? name.map { " named \($0)" } ?? ""
        throw SupervisorError(
            .unreachable, "no supervisor\(wanted) is running here, or it has no control socket")
    }

    /// Calls a method of the supervisor's own interface, and waits for the reply.
    ///
    /// - Parameter isQuick: false where the reply comes when workers have done something, however long that takes.
    package func call(
        _ method: String, _ parameters: [String: VarlinkCall.Value] = [:], isQuick: Bool = true
    ) throws(SupervisorError) -> VarlinkAnswer {
        if !isQuick { waitWithoutLimit() }
        send(VarlinkCall(method: "\(ControlInterface.name).\(method)", parameters: parameters))
        guard let answer = try receiveAnswer() else { throw silence }
        return answer
    }

    private func send(_ call: VarlinkCall) {
        let bytes = call.bytes
        // A refusal may be there already, and its sender gone: what was sent is of no matter then.
        _ = Glibc.send(descriptor.number, bytes, bytes.count, LINUX_MSG_NOSIGNAL)
    }

    /// The next reply; nil where the connection has ended.
    private func receiveAnswer() throws(SupervisorError) -> VarlinkAnswer? {
        while true {
            if let message = buffer.next() {
                guard let answer = VarlinkAnswer(message) else {
                    throw SupervisorError(.unreachable, "what listens at \(path) is no supervisor")
                }
                if let error = answer.error { throw Self.refusal(error, path) }
                return answer
            }
            guard receive() else { return nil }
        }
    }

    private var silence: SupervisorError {
        SupervisorError(.unreachable, "the supervisor at \(path) gave no answer")
    }

    /// Asks what occurred after an event's number, 0 for all that is remembered.
    ///
    /// - Parameters:
    ///   - follows: goes on with what occurs, until the supervisor ends.
    ///   - take: is given one batch after the other.
    package func watch(
        after number: UInt64, follows: Bool, _ take: (EventBatch) -> Void
    ) throws(SupervisorError) {
        if follows { waitWithoutLimit() }
        let parameters = ["after": VarlinkCall.Value.integer(Int64(clamping: number))]
        send(VarlinkCall(method: "\(ControlInterface.name).Watch", parameters: parameters, more: follows))
        var answer = try receiveAnswer()
        while let reply = answer {
            guard let batch = EventBatch(json: reply.parameters) else {
                throw SupervisorError(.unreachable, "the supervisor at \(path) answered what is no event")
            }
            take(batch)
            guard reply.continues else { return }
            answer = try receiveAnswer()
        }
        // Whoever follows is told of the end by the end of the connection.
        if !follows { throw silence }
    }

    /// Waits until the supervisor has ended.
    package func waitForEnd() {
        // Workers may take their grace, however long.
        waitWithoutLimit()
        while receive() {}
    }

    private func waitWithoutLimit() {
        var limit = timeval(tv_sec: 0, tv_usec: 0)
        _ = setsockopt(
            descriptor.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    private func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor.number, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            buffer.append(chunk[..<count])
            return true
        }
    }

    private static func refusal(_ error: VarlinkError, _ path: String) -> SupervisorError {
        if error == .permissionDenied {
            return SupervisorError(
                .notPermitted, "the supervisor at \(path) answers only its own user, and root")
        }
        if let parameter = error["parameter"], error == .invalidParameter(parameter) {
            return SupervisorError(.usage, "the supervisor does not take what was given for '\(parameter)'")
        }
        let short = error.name.split(separator: ".").last.map(String.init) ?? error.name
        let details = error.parameters.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        return SupervisorError(
            .system, "the supervisor refuses: \(short)\(details.isEmpty ? "" : " (\(details))")")
    }
}
