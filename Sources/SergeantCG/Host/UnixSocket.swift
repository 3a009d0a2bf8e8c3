internal import CgroupKit
internal import CLinux
internal import Glibc

/// Sockets of the file system (unix(7)).
enum UnixSocket {
    /// A stream socket that is not connected, close-on-exec; -1 and errno where there is none to be had.
    static func make(blocking: Bool) -> Int32 {
        socket(
            AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC | (blocking ? 0 : LINUX_SOCK_NONBLOCK), 0)
    }

    /// - Returns: 0, or the errno.
    static func bind(_ descriptor: Int32, to path: String) -> Int32 {
        withAddress(of: path) { Glibc.bind(descriptor, $0, $1) }
    }

    /// A datagram socket that was connected before is connected anew.
    ///
    /// - Returns: 0, or the errno. EAGAIN: somebody listens, and has no room at the moment.
    static func connect(_ descriptor: Int32, to path: String) -> Int32 {
        withAddress(of: path) { Glibc.connect(descriptor, $0, $1) }
    }

    /// Who connected, or who listens, as of that moment; nil where the kernel does not say.
    static func peer(of descriptor: Int32) -> (pid: Int32, user: UInt32)? {
        var credentials = linux_credentials()
        var size = socklen_t(MemoryLayout<linux_credentials>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else { return nil }
        return (credentials.pid, credentials.uid)
    }

    /// An address holds 107 bytes of a path. A longer one is gone to through its directory's descriptor.
    private static func withAddress(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        var directory: Int32 = -1
        defer { if directory >= 0 { close(directory) } }
        var short = path
        if path.utf8.count > room {
            let (parent, name) = split(path)
            directory = open(parent, LINUX_O_PATH | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { return errno }
            short = "/proc/self/fd/\(directory)/\(name)"
            guard short.utf8.count <= room else { return ENAMETOOLONG }
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 ? 0 : errno
    }

    /// The directory of a path, and the name in it.
    static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = PathText.lastSlash(in: path) else { return (".", path) }
        let directory = path[..<slash]
        return (directory.isEmpty ? "/" : String(directory), String(path[path.utf8.index(after: slash)...]))
    }
}
