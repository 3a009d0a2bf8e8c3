internal import CLinux
internal import Glibc

/// A running `sergeantcg exporter`, at a port of its own.
package final class ExporterProcess {
    package let port: UInt16
    package let pid: Int32

    /// Starts it for the supervisor at this control socket, and waits until it listens.
    package init(control: String) throws {
        port = try FreePort.find()
        var ends: [Int32] = [-1, -1]
        guard linux_pipe2(&ends, O_CLOEXEC) == 0 else { throw HarnessFailure("pipe2: errno \(errno)") }
        defer { close(ends[0]) }
        do {
            defer { close(ends[1]) }
            pid = try Tool.start(
                [
                    try SupervisorProcess.program(), "exporter", "--listen", "127.0.0.1:\(port)", "--control",
                    control,
                ], output: ends[1]
            ).pid
        }
        try waitForFirstLine(ends[0])
    }

    deinit {
        kill(pid, SIGKILL)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }

    /// Where a path of it is.
    package func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    private func waitForFirstLine(_ descriptor: Int32) throws {
        var text: [UInt8] = []
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while text.last != UInt8(ascii: "\n") {
            guard poll(&request, 1, Int32(SupervisorProcess.patience.components.seconds) * 1000) == 1 else {
                throw HarnessFailure("the exporter says nothing")
            }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                throw HarnessFailure("the exporter ended: \(String(decoding: text, as: UTF8.self))")
            }
            text += buffer[..<count]
        }
        let line = String(decoding: text, as: UTF8.self)
        guard line.contains("listens at http://127.0.0.1:\(port)/") else {
            throw HarnessFailure("the exporter does not listen: \(line)")
        }
    }
}
