internal import CLinux
internal import Glibc

/// A client that connects to a socket without pause, in a process of its own (`TestWorker connect`).
package struct Connector {
    /// What it saw.
    package struct Tally: Sendable {
        /// Connections that came about.
        package let made: Int
        /// connect(2) failed.
        package let refused: Int
        /// They came about, and nothing was said on them: their worker died.
        package let unanswered: Int
        package let lastErrno: Int
    }

    private let running: Tool.Running
    private let file: String

    /// - Parameter target: `["tcp", "127.0.0.1", "8080"]` or `["unix", "/path"]`.
    package init(_ target: [String]) throws {
        file =
            "/tmp/sergeantcg-test-\(getpid())-connector-\(target.joined(separator: "-").filter { $0 != "/" })"
        running = try Tool.start([try TestWorker.path(), "connect", file] + target)
    }

    /// Has it end, and reads what it saw.
    package func finish() throws -> Tally {
        kill(running.pid, SIGTERM)
        let end = try running.waitForEnd()
        defer { unlink(file) }
        let numbers = (TextFile.read(file) ?? "").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard end == .code(0), numbers.count == 4 else {
            throw HarnessFailure("the client ended with \(end) and wrote \(numbers)")
        }
        return Tally(made: numbers[0], refused: numbers[1], unanswered: numbers[2], lastErrno: numbers[3])
    }
}
