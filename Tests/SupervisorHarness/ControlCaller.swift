internal import CLinux
internal import Glibc

/// A client of a control socket that keeps no rule but those it is told to keep.
package final class ControlCaller {
    private let descriptor: Int32
    private var pending: [UInt8] = []

    /// Where a supervisor of this name has its socket, when root started it.
    package static func path(_ name: String) -> String { "/run/sergeantcg/\(name)/control" }

    package init(_ path: String) throws {
        descriptor = socket(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0)
        guard descriptor >= 0 else { throw HarnessFailure("no socket to be had: errno \(errno)") }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let error = errno
            close(descriptor)
            throw HarnessFailure("cannot connect to \(path): errno \(error)")
        }
    }

    deinit { close(descriptor) }

    /// Sends the bytes as they are; without effect where the supervisor has closed the connection.
    package func send(_ bytes: [UInt8]) {
        _ = Glibc.send(descriptor, bytes, bytes.count, LINUX_MSG_NOSIGNAL)
    }

    /// Sends the bytes again and again, until the connection takes no more for a while: whoever listens has stopped
    /// reading.
    package func flood(_ bytes: [UInt8]) throws {
        while true {
            let count = Glibc.send(descriptor, bytes, bytes.count, LINUX_MSG_NOSIGNAL | LINUX_MSG_DONTWAIT)
            if count < 0, errno == EAGAIN {
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&request, 1, 300) > 0 else { return }
                continue
            }
            // A part of it is the start of a message that never ends.
            guard count == bytes.count else {
                if count > 0 { return }
                throw HarnessFailure("the connection was closed in the midst of a flood: errno \(errno)")
            }
        }
    }

    /// Sends a call of the supervisor's interface.
    ///
    /// - Parameter more: several replies are taken.
    package func call(_ method: String, parameters: String = "{}", more: Bool = false) {
        let call =
            #"{"method":"io.sergeantcg.Supervisor.\#(method)","parameters":\#(parameters),"more":\#(more)}"#
        send(Array(call.utf8) + [0])
    }

    /// The next message without the NUL that ends it; nil where the connection has ended.
    package func receive() throws -> JSONValue? {
        while true {
            if let end = pending.firstIndex(of: 0) {
                let message = pending[..<end]
                pending.removeSubrange(...end)
                guard let value = JSONValue.parse(message) else {
                    throw HarnessFailure("no JSON: \(String(decoding: message, as: UTF8.self))")
                }
                return value
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            if count == 0 || count < 0 && errno == ECONNRESET { return nil }
            guard count > 0 else { throw HarnessFailure("no answer came: errno \(errno)") }
            pending += chunk[..<count]
        }
    }
}

extension JSONValue {
    /// A member of an object.
    package subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    package subscript(index: Int) -> JSONValue? {
        if case .list(let values) = self, values.indices.contains(index) { values[index] } else { nil }
    }

    package var text: String? { if case .text(let text) = self { text } else { nil } }

    package var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
}
