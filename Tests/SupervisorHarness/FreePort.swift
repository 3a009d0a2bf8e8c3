internal import CLinux
internal import Glibc

/// A TCP port of 127.0.0.1 that nobody listens on.
package enum FreePort {
    /// Whoever binds it next has it.
    package static func find() throws -> UInt16 {
        let descriptor = socket(AF_INET, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout.size(ofValue: address))
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard result else { throw HarnessFailure("no free port: errno \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
