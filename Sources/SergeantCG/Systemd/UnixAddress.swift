internal import CLinux
internal import Glibc

/// Sockets in the file system (unix(7)).
enum UnixAddress {
    /// Connects a socket, anew where it is a datagram socket that was connected before.
    ///
    /// - Returns: 0, or the errno; ENAMETOOLONG where the path does not fit (107 bytes).
    static func connect(_ socket: Int32, to path: String) -> Int32 {
        with(path) { Glibc.connect(socket, $0, $1) }
    }

    /// Makes the socket's file.
    ///
    /// - Returns: as ``connect(_:to:)``.
    static func bind(_ socket: Int32, to path: String) -> Int32 {
        with(path) { Glibc.bind(socket, $0, $1) }
    }

    private static func with(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { place in
            let bytes = Array(path.utf8)
            guard bytes.count < place.count else { return false }
            place.copyBytes(from: bytes)
            return true
        }
        guard fits else { return ENAMETOOLONG }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 ? 0 : errno
    }
}
