internal import CLinux
internal import CSupervisorHarness
internal import Glibc

/// Another program that a test needs: `strace`, `nsenter`, `mount`.
package enum Tool {
    /// One that runs beside the test.
    package struct Running: Sendable {
        package let pid: Int32

        /// Waits for its end.
        @discardableResult
        package func waitForEnd() throws -> ProcessEnd {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 {
                guard errno == EINTR else { throw HarnessFailure("waitpid: errno \(errno)") }
            }
            return status & 0x7F == 0 ? .code(status >> 8 & 0xFF) : .signal(status & 0x7F)
        }
    }

    /// Starts it; what it prints is thrown away.
    package static func start(_ words: [String]) throws -> Running {
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nothing) }
        return try start(words, output: nothing)
    }

    /// Starts it with this descriptor as its stdout and stderr.
    package static func start(_ words: [String], output: Int32) throws -> Running {
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(input) }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for text in arguments { free(text) } }
        var pid: pid_t = 0
        let error = harness_spawn(&arguments, environ, input, nil, output, output, nil, &pid)
        guard error == 0 else { throw HarnessFailure("cannot run \(words[0]): errno \(error)") }
        return Running(pid: pid)
    }

    /// Runs it to its end.
    ///
    /// - Returns: its status, and what it printed on stdout and stderr together.
    @discardableResult
    package static func run(_ words: [String]) throws -> (status: ProcessEnd, output: String) {
        var ends: [Int32] = [-1, -1]
        guard linux_pipe2(&ends, O_CLOEXEC) == 0 else { throw HarnessFailure("pipe2: errno \(errno)") }
        defer { close(ends[0]) }
        let running: Running
        do {
            defer { close(ends[1]) }
            running = try start(words, output: ends[1])
        }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            output += buffer[..<count]
        }
        return (try running.waitForEnd(), String(decoding: output, as: UTF8.self))
    }

    /// The program under test, as a command beside the supervisor that runs.
    ///
    /// - Returns: as ``run(_:)``.
    package static func sergeantcg(_ words: String...) throws -> (status: ProcessEnd, output: String) {
        try run([try SupervisorProcess.program()] + words)
    }

    /// Runs it to its end, which must be exit status 0.
    package static func mustRun(_ words: [String]) throws {
        let (status, output) = try run(words)
        guard status == .code(0) else {
            throw HarnessFailure("\(words.joined(separator: " ")) ended with \(status): \(output)")
        }
    }
}
