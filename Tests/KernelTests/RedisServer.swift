import Glibc
import SupervisorHarness

/// A Redis of the test's own, and the little of its protocol that a test needs.
final class RedisServer {
    let port: UInt16
    private let pid: pid_t
    private let connection: Int32
    private var received: [UInt8] = []

    /// Starts `redis-server` on a free port and waits until it listens.
    init(in directory: String) throws {
        port = try FreePort.find()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw HarnessFailure("pipe: errno \(errno)") }
        let reading = ends[0]
        defer { close(reading) }
        _ = fcntl(reading, F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[1])
        let words = [
            "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir",
            directory,
        ]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for text in arguments { free(text) } }
        var started: pid_t = 0
        let error = posix_spawnp(&started, "redis-server", &actions, nil, &arguments, environ)
        close(ends[1])
        guard error == 0 else { throw HarnessFailure("redis-server cannot be started: errno \(error)") }
        pid = started
        do {
            try Self.waitUntilReady(reading)
            connection = try Self.connect(port)
        } catch {
            Self.end(started)
            throw error
        }
    }

    deinit {
        close(connection)
        Self.end(pid)
    }

    /// The length of a list.
    func length(_ list: String) throws -> Int {
        let reply = try command("LLEN \(list)")
        guard reply.hasPrefix(":"), let length = Int(reply.dropFirst()) else {
            throw HarnessFailure("redis said \(reply)")
        }
        return length
    }

    /// All elements of a list of words.
    func elements(_ list: String) throws -> [String] {
        let reply = try command("LRANGE \(list) 0 -1")
        guard reply.hasPrefix("*"), let count = Int(reply.dropFirst()) else {
            throw HarnessFailure("redis said \(reply)")
        }
        return try (0..<count).map { _ in
            _ = try line()  // $LENGTH
            return try line()
        }
    }

    private func command(_ text: String) throws -> String {
        let bytes = Array("\(text)\r\n".utf8)
        guard write(connection, bytes, bytes.count) == bytes.count else {
            throw HarnessFailure("redis does not listen: errno \(errno)")
        }
        return try line()
    }

    private func line() throws -> String {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeFirst(end + 1) }
                return String(decoding: received[..<end].filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { throw HarnessFailure("redis ended: errno \(errno)") }
            received += buffer[..<count]
        }
    }

    private static func waitUntilReady(_ descriptor: Int32) throws {
        var text: [UInt8] = []
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, 1000) > 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            text += buffer[..<count]
            if String(decoding: text, as: UTF8.self).contains("Ready to accept connections") { return }
        }
        throw HarnessFailure("redis-server did not become ready: \(String(decoding: text, as: UTF8.self))")
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func connect(_ port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = address(port)
        let size = socklen_t(MemoryLayout.size(ofValue: address))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, size) }
        }
        guard result == 0 else {
            defer { close(descriptor) }
            throw HarnessFailure("cannot connect to redis: errno \(errno)")
        }
        return descriptor
    }

    private static func end(_ pid: pid_t) {
        kill(pid, SIGKILL)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }
}
