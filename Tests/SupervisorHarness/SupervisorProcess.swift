internal import CLinux
internal import CSupervisorHarness
internal import Glibc
internal import Synchronization

/// How a process ended.
package enum ProcessEnd: Hashable, Sendable {
    case code(Int32)
    case signal(Int32)
}

/// A running `sergeantcg`, the binary named by `SERGEANTCG_BINARY`, seen from outside: its log, its output, its
/// processes and its cgroups. Every wait is for an event, and has a deadline.
package final class SupervisorProcess {
    /// How long a wait lasts at most, where nothing else is said. Real waits end with their event; this is for
    /// a machine with a guest kernel in the middle of a build.
    package static let patience: Duration = .seconds(30)

    private static let numbers = Atomic<Int>(0)

    package let pid: Int32
    /// What `--name` says, and the name of its cgroup: unique in this process and among processes.
    package let name: String
    /// The directory the supervisor takes as its root. It may not exist yet, or any more.
    package let root: String
    private let pidfd: Int32
    private var log: Stream
    private var output: Stream
    private let terminal: Int32?

    /// The log's lines until now.
    package private(set) var lines: [Line] = []
    /// What came on stderr and is no line of the log.
    package private(set) var strayLines: [String] = []
    /// The lines on stdout until now, its own and its workers'.
    package private(set) var outputLines: [String] = []
    /// Nil while it runs.
    package private(set) var status: ProcessEnd?
    private let command: [String]

    /// One end of a pipe, and the start of a line that has not ended.
    private struct Stream {
        var descriptor: Int32
        var partial: [UInt8] = []
        /// False leaves what comes in the pipe.
        var isRead = true
    }

    // MARK: Start

    /// The path of the program under test.
    package static func program() throws -> String {
        guard let binary = getenv("SERGEANTCG_BINARY").map({ String(cString: $0) }), !binary.isEmpty else {
            throw HarnessFailure(
                "SERGEANTCG_BINARY does not say which program to test: SERGEANTCG_BINARY=$(scripts/build)")
        }
        guard access(binary, X_OK) == 0 else {
            throw HarnessFailure(
                "SERGEANTCG_BINARY is \(binary), which cannot be executed: run scripts/build")
        }
        return binary
    }

    package init(_ launch: Launch) throws {
        let binary = try launch.binary ?? Self.program()
        let number = Self.numbers.add(1, ordering: .relaxed).newValue
        name = "test-\(getpid())-\(number)"
        let ground = try Ground.directory()
        switch launch.place {
        case .existing(let directory): root = directory
        case .ownCgroup, .inherited: root = "\(ground)/sergeantcg-\(name)"
        }
        var words = launch.wrapper + [binary]
        if launch.addsLogFormat { words += ["--log-format", "json"] }
        if launch.addsName { words += ["--name", name] }
        words += launch.arguments
        if launch.place == .ownCgroup {
            guard mkdir(root, 0o755) == 0 else { throw HarnessFailure("cannot make \(root): errno \(errno)") }
        }
        if let owner = launch.owner {
            // What /sys/kernel/cgroup/delegate lists of the core's files.
            for file in ["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"] {
                guard chown(root + file, owner, owner) == 0 else {
                    throw HarnessFailure("cannot give \(root)\(file) to user \(owner): errno \(errno)")
                }
            }
        }
        if launch.place != .inherited {
            // The shell becomes the program: same process, in its cgroup before the first instruction.
            words = ["/bin/sh", "-c", #"echo $$ >"$0" && exec "$@""#, "\(root)/cgroup.procs"] + words
        }
        command = words

        let logPipe = try Self.pipe(size: launch.logPipeSize ?? 1 << 20)
        let outputPipe = try Self.pipe(size: 1 << 20)
        let input = try Self.input(launch.input)
        terminal = input.terminal
        log = Stream(descriptor: logPipe.reading)
        output = Stream(descriptor: outputPipe.reading)
        let spawned = Self.spawn(
            words, launch, input: input, output: outputPipe.writing, log: logPipe.writing)
        close(logPipe.writing)
        close(outputPipe.writing)
        if input.descriptor >= 0 { close(input.descriptor) }
        guard spawned.error == 0 else {
            close(logPipe.reading)
            close(outputPipe.reading)
            throw HarnessFailure("cannot start \(words.joined(separator: " ")): errno \(spawned.error)")
        }
        pid = spawned.pid
        pidfd = linux_pidfd_open(spawned.pid, 0)
        guard pidfd >= 0 else { throw HarnessFailure("pidfd_open: errno \(-pidfd)") }
    }

    deinit {
        for descriptor in [log.descriptor, output.descriptor, pidfd] where descriptor >= 0 {
            close(descriptor)
        }
        if let terminal { close(terminal) }
    }

    private static func pipe(size: Int32) throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard linux_pipe2(&ends, O_CLOEXEC) == 0 else { throw HarnessFailure("pipe2: errno \(errno)") }
        // Only a wish: an ordinary user may be refused a large pipe.
        _ = harness_pipe_size(ends[0], size)
        return (ends[0], ends[1])
    }

    private static func input(
        _ input: Launch.Input
    ) throws -> (descriptor: Int32, terminal: Int32?, path: String?) {
        switch input {
        case .nothing: return (open("/dev/null", O_RDONLY | O_CLOEXEC), nil, nil)
        case .text(let text):
            let ends = try pipe(size: Int32(max(text.utf8.count, 4096)))
            let bytes = Array(text.utf8)
            let written = write(ends.writing, bytes, bytes.count)
            close(ends.writing)
            guard written == bytes.count else { throw HarnessFailure("the input does not fit into a pipe") }
            return (ends.reading, nil, nil)
        case .terminal:
            var name = [CChar](repeating: 0, count: 128)
            let terminal = harness_terminal(&name, name.count)
            guard terminal >= 0 else { throw HarnessFailure("no terminal to be had: errno \(-terminal)") }
            let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return (-1, terminal, path)
        }
    }

    private static func spawn(
        _ words: [String], _ launch: Launch, input: (descriptor: Int32, terminal: Int32?, path: String?),
        output: Int32, log: Int32
    ) -> (pid: Int32, error: Int32) {
        var environment = ownEnvironment()
        for (name, value) in launch.environment { environment[name] = value }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        let error = harness_spawn(
            &arguments, &variables, input.descriptor, input.path, output, log, launch.workingDirectory, &pid)
        return (pid, error)
    }

    private static func ownEnvironment() -> [String: String] {
        var result: [String: String] = [:]
        var place = environ
        while let entry = place.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            place += 1
        }
        return result
    }

    // MARK: Reading

    /// Waits for a line of the log. Lines that were read before count too, from `position` on: pass
    /// `line.position + 1` for what comes after a line.
    @discardableResult
    package func waitFor(
        _ event: String, from position: Int = 0, within patience: Duration = SupervisorProcess.patience,
        matching: (Line) -> Bool = { _ in true }
    ) throws -> Line {
        var next = position
        return try wait("for the event \(event)", within: patience) {
            while next < lines.count {
                defer { next += 1 }
                if lines[next].event == event, matching(lines[next]) { return lines[next] }
            }
            return nil
        }
    }

    /// Waits until there are so many lines of an event, and returns them.
    @discardableResult
    package func waitFor(
        _ count: Int, _ event: String, from position: Int = 0,
        within patience: Duration = SupervisorProcess.patience, matching: (Line) -> Bool = { _ in true }
    ) throws -> [Line] {
        var next = position
        var found: [Line] = []
        return try wait("for \(count) times the event \(event), \(found.count) came", within: patience) {
            while next < lines.count {
                if lines[next].event == event, matching(lines[next]) { found.append(lines[next]) }
                next += 1
                if found.count == count { return found }
            }
            return nil
        }
    }

    /// Waits for a line on stdout.
    @discardableResult
    package func waitForOutput(
        from position: Int = 0, within patience: Duration = SupervisorProcess.patience,
        matching: (String) -> Bool
    ) throws -> String {
        var next = position
        return try wait("for a line on stdout", within: patience) {
            while next < outputLines.count {
                defer { next += 1 }
                if matching(outputLines[next]) { return outputLines[next] }
            }
            return nil
        }
    }

    /// Waits until it has ended, and all that it and its workers printed is read.
    @discardableResult
    package func waitForExit(within patience: Duration = SupervisorProcess.patience) throws -> ProcessEnd {
        let status = try wait("for the end of the supervisor", within: patience, evenIfEnded: true) {
            self.status
        }
        while read(milliseconds: 0) {}
        return status
    }

    /// Waits until something else than the log says so, looking at it whenever the log moves, and at least
    /// every 20 ms: for facts of /proc and cgroupfs that notify nobody.
    package func waitUntil(
        _ what: String, within patience: Duration = SupervisorProcess.patience, _ condition: () -> Bool
    ) throws {
        let deadline = ContinuousClock.now + patience
        while !condition() {
            guard ContinuousClock.now < deadline else { throw failure("waited in vain until \(what)") }
            if !read(milliseconds: 20) { usleep(20_000) }
        }
    }

    /// Stops, or goes on, reading the log: what comes stays in its pipe, as if nobody listened.
    package func readLog(_ reads: Bool) {
        log.isRead = reads
    }

    /// Closes our end of the log's pipe: whoever writes into it gets EPIPE.
    package func closeLog() {
        close(log.descriptor)
        log.descriptor = -1
    }

    /// Lets the supervisor have no descriptor from this number on (prlimit(2)), without closing those it has.
    package func limitDescriptors(to number: UInt64) throws {
        let error = harness_limit_descriptors(pid, number)
        guard error == 0 else { throw failure("cannot limit its descriptors: errno \(error)") }
    }

    /// Reads what is there, without waiting.
    package func readAvailable() {
        while read(milliseconds: 0) {}
    }

    private func wait<Result>(
        _ what: String, within patience: Duration, evenIfEnded: Bool = false, _ look: () -> Result?
    ) throws -> Result {
        let deadline = ContinuousClock.now + patience
        while true {
            if let result = look() { return result }
            let left = deadline - .now
            guard left > .zero else { throw failure("waited in vain \(what)") }
            if status != nil, !evenIfEnded {
                readAvailable()
                if let result = look() { return result }
                if log.descriptor < 0, output.descriptor < 0 {
                    throw failure("it ended while the test waited \(what)")
                }
            }
            read(milliseconds: left.milliseconds)
        }
    }

    /// One poll(2) over the pipes and the process.
    ///
    /// - Returns: false where nothing came.
    @discardableResult
    private func read(milliseconds: Int32) -> Bool {
        var requests = [
            pollfd(fd: log.isRead ? log.descriptor : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: output.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: status == nil ? pidfd : -1, events: Int16(POLLIN), revents: 0),
            // What a terminal echoes is thrown away.
            pollfd(fd: terminal ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        guard requests.contains(where: { $0.fd >= 0 }) else { return false }
        guard poll(&requests, nfds_t(requests.count), milliseconds) > 0 else { return false }
        if requests[0].revents != 0 {
            for line in Self.take(&log) {
                if var parsed = Line.parse(line) {
                    parsed.position = lines.count
                    lines.append(parsed)
                } else {
                    strayLines.append(String(decoding: line, as: UTF8.self))
                }
            }
        }
        if requests[1].revents != 0 {
            outputLines += Self.take(&output).map { String(decoding: $0, as: UTF8.self) }
        }
        if requests[2].revents != 0 { reap() }
        if let terminal, requests[3].revents & Int16(POLLIN) != 0 {
            var buffer = [UInt8](repeating: 0, count: 4096)
            _ = Glibc.read(terminal, &buffer, buffer.count)
        }
        return requests[0].revents != 0 || requests[1].revents != 0 || requests[2].revents != 0
    }

    /// What is there, as whole lines; at the end of the stream the last one may lack its newline.
    private static func take(_ stream: inout Stream) -> [[UInt8]] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(stream.descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return [] }
        guard count > 0 else {
            close(stream.descriptor)
            stream.descriptor = -1
            defer { stream.partial = [] }
            return stream.partial.isEmpty ? [] : [stream.partial]
        }
        var pieces = buffer[..<count].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { Array($0) }
        pieces[0] = stream.partial + pieces[0]
        stream.partial = pieces.removeLast()
        return pieces
    }

    private func reap() {
        var code: Int32 = 0
        var value: Int32 = 0
        guard linux_waitid_pidfd(pidfd, WEXITED | WNOHANG, &code, &value, nil) == 1 else { return }
        // CLD_EXITED is 1; killed and dumped are 2 and 3.
        status = code == 1 ? .code(value) : .signal(value)
    }

    // MARK: Acting

    /// Sends the supervisor a signal; without effect where it has ended.
    package func signal(_ signal: Int32) {
        guard status == nil else { return }
        _ = linux_pidfd_send_signal(pidfd, signal)
    }

    /// SIGTERM, and waits for the end.
    @discardableResult
    package func stop(within patience: Duration = SupervisorProcess.patience) throws -> ProcessEnd {
        signal(SIGTERM)
        return try waitForExit(within: patience)
    }

    /// Types on its terminal.
    package func type(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard let terminal, write(terminal, bytes, bytes.count) == bytes.count else {
            throw HarnessFailure("there is no terminal to type on")
        }
    }

    /// The directory of the cgroup that a line of the log names.
    package func directory(of line: Line) throws -> String {
        guard let cgroup = line.cgroup else { throw failure("the line \(line.event) names no cgroup") }
        return try Cgroupfs.mount().directory(cgroup)
    }

    /// Kills the supervisor and all in its cgroups, and removes those.
    package func cleanUp() throws {
        if status == nil {
            _ = linux_pidfd_send_signal(pidfd, SIGKILL)
            try waitForExit()
        }
        // What is left by one that was killed.
        for parent in ["/run"] + (getenv("XDG_RUNTIME_DIR").map { [String(cString: $0)] } ?? []) {
            unlink("\(parent)/sergeantcg/\(name)/control")
            rmdir("\(parent)/sergeantcg/\(name)")
        }
        try Cgroupfs.clear(root)
    }

    /// An error that carries all that was seen.
    package func failure(_ what: String) -> HarnessFailure {
        readAvailable()
        return HarnessFailure("\(what)\n\(transcript)")
    }

    /// All that was seen until now, for a person.
    package var transcript: String {
        var text = "command: \(command.joined(separator: " "))\n"
        text += "status: \(status.map { "\($0)" } ?? "running as \(pid)")\n"
        text += "cgroups below \(root): \(Cgroupfs.count(below: root))\n"
        let shown = lines.suffix(60).map { line in
            "\(line.time) \(line.level) \(line.event) \(line.worker ?? "-").\(line.incarnation ?? 0) "
                + "\(line.reason ?? "") \(line.message)"
        }
        text += "log (\(lines.count) lines):\n" + shown.map { "  \($0)\n" }.joined()
        if !strayLines.isEmpty {
            text += "stderr beside the log:\n" + strayLines.suffix(30).map { "  \($0)\n" }.joined()
        }
        if !outputLines.isEmpty {
            text +=
                "stdout (\(outputLines.count) lines):\n" + outputLines.suffix(30).map { "  \($0)\n" }.joined()
        }
        return text
    }
}

/// Starts a supervisor for a test and ends with it, whatever happens: no process and no cgroup stays. An error
/// of the body, or a cgroup that cannot be cleared, is thrown with all that was seen.
package func withSupervisor<Result>(
    _ launch: Launch, _ body: (SupervisorProcess) throws -> Result
) throws -> Result {
    let supervisor = try SupervisorProcess(launch)
    do {
        let result = try body(supervisor)
        try supervisor.cleanUp()
        return result
    } catch {
        _ = try? supervisor.cleanUp()
        if error is HarnessFailure { throw error }
        throw HarnessFailure("\(error)\n\(supervisor.transcript)")
    }
}
