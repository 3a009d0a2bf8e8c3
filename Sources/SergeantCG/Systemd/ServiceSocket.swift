internal import CLinux
internal import Glibc

/// Datagrams to the service manager's `NOTIFY_SOCKET` (sd_notify(3)), none of which is waited for.
///
/// libsystemd's `sd_notify` waits while the manager's queue is full, and with it would every worker. Here a state that
/// cannot be sent now is kept, the newest of its kind alone, and sent when there is room.
final class ServiceSocket {
    /// What a message may be about. Each is held at most once, in this order.
    enum Field: String, CaseIterable, Hashable, Codable, CodingKeyRepresentable {
        case reloading, ready, stopping, status, errno, extendTimeout, watchdog
    }

    private let address: String
    private let socket: Descriptor
    private var isConnected = false
    private var isFull = false
    /// What could not be sent yet.
    var waiting: [Field: String] = [:]

    /// - Parameter address: a path, or `@` and the name of an abstract socket.
    /// - Returns: nil where there is nobody to tell, or no descriptor is left.
    init?(address: String?) {
        guard let address, address.hasPrefix("/") || address.hasPrefix("@"), address.utf8.count > 1 else {
            return nil
        }
        let result = Glibc.socket(AF_UNIX, LINUX_SOCK_DGRAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        guard result >= 0 else { return nil }
        socket = Descriptor(owning: result)
        self.address = address
    }

    /// The descriptor whose readiness for writing says that there is room again; nil while nothing waits for that.
    var awaitedDescriptor: Int32? { isFull ? socket.number : nil }

    /// Adds assignments, one or several lines, to the next message.
    func add(_ field: Field, _ lines: String) {
        waiting[field] = lines
    }

    /// Sends what waits, if there is room.
    func flush() {
        isFull = false
        while !waiting.isEmpty {
            // The manager must see the one before the other.
            let isReload = waiting[.reloading] != nil && waiting[.ready] != nil
            let fields = isReload ? [.reloading] : Field.allCases
            isFull = !send(fields.compactMap { waiting[$0] }.joined(separator: "\n"), with: nil)
            guard !isFull else { return }
            // Sent, or there is nobody: supervision goes on all the same.
            for field in fields { waiting[field] = nil }
        }
    }

    /// For a message that is not held: its sender does that, and listens to ``number``.
    ///
    /// - Returns: false where there is no room now.
    func send(_ text: String, with descriptor: Int32?) -> Bool {
        let bytes = Array(text.utf8)
        var error = attempt(bytes, descriptor)
        if error != 0, !Self.isFullness(error) {
            // A manager that was started anew listens on another socket of the same name.
            isConnected = false
            error = attempt(bytes, descriptor)
        }
        return !Self.isFullness(error)
    }

    /// What epoll is to be asked about room.
    var number: Int32 { socket.number }

    private static func isFullness(_ error: Int32) -> Bool { error == EAGAIN || error == ENOBUFS }

    /// - Returns: 0, or the errno.
    private func attempt(_ bytes: [UInt8], _ descriptor: Int32?) -> Int32 {
        guard isConnected || connect() else { return ENOTCONN }
        return Self.send(bytes, descriptor, over: socket.number)
    }

    /// - Returns: 0, or the errno.
    private static func send(_ bytes: [UInt8], _ descriptor: Int32?, over socket: Int32) -> Int32 {
        bytes.withUnsafeBytes { bytes -> Int32 in
            guard let descriptor else {
                let count = Glibc.send(socket, bytes.baseAddress, bytes.count, LINUX_MSG_NOSIGNAL)
                return count >= 0 ? 0 : errno
            }
            return -linux_send_descriptor(
                socket, bytes.baseAddress, bytes.count, descriptor, LINUX_MSG_NOSIGNAL)
        }
    }

    private func connect() -> Bool {
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(address.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        let capacity = MemoryLayout.size(ofValue: place.sun_path)
        guard bytes.count < capacity else { return false }
        withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name is as long as it is said to be; a path may end where it ends too.
        let size = socklen_t(MemoryLayout<sockaddr_un>.size - capacity + bytes.count)
        isConnected =
            withUnsafePointer(to: &place) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(socket.number, $0, size)
                }
            } == 0
        return isConnected
    }
}
