internal import CLinux
internal import Glibc

/// A socket on which a test takes what is said to a service manager (sd_notify(3)).
package final class NotifySocket {
    /// What `NOTIFY_SOCKET` names.
    package let path: String
    private let descriptor: Int32
    /// Every datagram, in the order they came.
    package private(set) var messages: [String] = []

    package init() throws {
        path = "/tmp/sergeantcg-test-\(getpid())-notify"
        unlink(path)
        descriptor = socket(AF_UNIX, LINUX_SOCK_DGRAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        guard descriptor >= 0 else { throw HarnessFailure("no socket: errno \(errno)") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw HarnessFailure("cannot bind \(path): errno \(errno)")
        }
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Waits for a datagram that has this line in it, beginning with the message number `after`.
    ///
    /// - Returns: the number of the datagram after it.
    @discardableResult
    package func wait(
        for line: String, after first: Int = 0, within patience: Duration = SupervisorProcess.patience
    ) throws -> Int {
        let deadline = ContinuousClock.now + patience
        while true {
            takeAll()
            if let found = messages.indices.dropFirst(first).first(where: { index in
                messages[index].split(separator: "\n").contains { $0 == line }
            }) {
                return found + 1
            }
            let left = deadline - .now
            guard left > .zero else {
                throw HarnessFailure("\"\(line)\" was not said to the service manager: \(messages)")
            }
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&request, 1, left.milliseconds)
        }
    }

    /// Takes what is there, without waiting.
    package func takeAll() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, LINUX_MSG_DONTWAIT)
            guard count >= 0 else { return }
            messages.append(String(decoding: buffer[..<count], as: UTF8.self))
        }
    }
}
