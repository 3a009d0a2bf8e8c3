internal import CLinux
internal import Glibc

/// A socket's address as the kernel has it (ip(7), ipv6(7), unix(7)).
struct SocketAddress {
    /// What `sun_path` holds beside its null.
    static let longestPath = 107

    let family: Int32
    private var storage = sockaddr_storage()
    private var length: socklen_t

    /// Nil for an address that is not in digits, or a path that is too long.
    init?(_ endpoint: ListenAddress.Endpoint) {
        switch endpoint {
        case .tcp(let host, let port) where host.contains(":"):
            family = AF_INET6
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { return nil }
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
        case .tcp(let host, let port):
            family = AF_INET
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
        case .unix(let path, _):
            family = AF_UNIX
            let bytes = Array(path.utf8)
            guard bytes.count <= Self.longestPath else { return nil }
            storage.ss_family = sa_family_t(AF_UNIX)
            length = socklen_t(2 + bytes.count + 1)
            withUnsafeMutableBytes(of: &storage) { $0[2...].copyBytes(from: bytes) }
        }
    }

    /// Calls `body` as bind(2) and connect(2) want it.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Where a socket is bound, with mode 0 for a file; nil where that is neither TCP nor a file.
    static func endpoint(of socket: Int32) -> ListenAddress.Endpoint? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        guard result == 0 else { return nil }
        let family = Int32(storage.ss_family)
        return withUnsafeBytes(of: &storage) { bytes -> ListenAddress.Endpoint? in
            switch family {
            case AF_INET:
                let address = bytes.loadUnaligned(as: sockaddr_in.self)
                return withUnsafeBytes(of: address.sin_addr) { text(AF_INET, Array($0)) }.map {
                    .tcp(host: $0, port: UInt16(bigEndian: address.sin_port))
                }
            case AF_INET6:
                let address = bytes.loadUnaligned(as: sockaddr_in6.self)
                return withUnsafeBytes(of: address.sin6_addr) { text(AF_INET6, Array($0)) }.map {
                    .tcp(host: $0, port: UInt16(bigEndian: address.sin6_port))
                }
            case AF_UNIX:
                let path = bytes[2..<min(Int(length), bytes.count)].prefix { $0 != 0 }
                return path.isEmpty ? nil : .unix(path: String(decoding: path, as: UTF8.self), mode: 0)
            default: return nil
            }
        }
    }

    /// inet_ntop(3).
    static func text(_ family: Int32, _ address: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: 64)
        guard inet_ntop(family, address, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
