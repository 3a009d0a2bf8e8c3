internal import CgroupKit
internal import CLinux
internal import Glibc

/// Where a socket listens that the workers are handed: `[NAME=]tcp://ADDRESS:PORT` or
/// `[NAME=]unix:///PATH[,mode=OCTAL]`.
public struct ListenAddress: Hashable, Sendable, Codable {
    /// What kind of socket, and where.
    public enum Endpoint: Hashable, Sendable, Codable {
        /// An IPv4 or IPv6 address in digits, as inet_ntop(3) writes it, and a port.
        case tcp(host: String, port: UInt16)
        /// A socket file at this absolute path, with these permissions.
        case unix(path: String, mode: UInt32)
    }

    /// How it can be written, for whoever wrote something else.
    public static let form = "[NAME=]tcp://ADDRESS:PORT or [NAME=]unix:///PATH[,mode=OCTAL]"

    /// Under which name a worker finds it in `LISTEN_FDNAMES`.
    public var name: String
    /// What kind of socket, and where.
    public var endpoint: Endpoint

    /// - Parameter name: nil names it for its address; see ``isName(_:)``.
    public init(name: String? = nil, _ endpoint: Endpoint) {
        self.name = name ?? endpoint.name
        self.endpoint = endpoint
    }

    /// How it may be written; which digits and colons are an IPv6 address is for the reader alone to see.
    package static let spelling: Spelling = {
        let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
        let host = "(?:\(byte)(?:\\.\(byte)){3}|\\[[0-9A-Fa-f:.]+\\])"
        let port = NumberPattern.whole(1...UInt64(UInt16.max), joint: "")
        let path = "/[^,]{0,\(SocketAddress.longestPath - 2)}[^,/]"
        return .pattern(
            "(?:[ -9;-~]{1,255}=)?(?:tcp://\(host):(?:\(port))|unix://\(path)(?:,mode=0*[0-7]{1,3})*)")
    }()

    /// Reads what a person wrote.
    ///
    /// - Throws: ``ListenFault``, a sentence that names the text and what is wrong with it.
    public init(parsing text: String) throws(ListenFault) {
        guard let (front, rest) = Self.split(text, at: "://") else {
            throw ListenFault("'\(text)' is no address to listen at: it takes \(Self.form)")
        }
        var name: String?
        var scheme = front
        if let equals = front.lastIndex(of: "=") {
            name = String(front[..<equals])
            scheme = String(front[front.index(after: equals)...])
        }
        if let name, !Self.isName(name) {
            throw ListenFault(
                "the name '\(name)' of '\(text)' cannot be one: it takes up to 255 printable ASCII characters without ':'"
            )
        }
        switch scheme {
        case "tcp": self.init(name: name, try Self.tcp(rest, of: text))
        case "unix": self.init(name: name, try Self.unix(rest, of: text))
        default:
            throw ListenFault(
                "'\(text)' begins with '\(scheme)', which is not tcp or unix: it takes \(Self.form)")
        }
    }

    /// What sd_listen_fds_with_names(3) hands on: up to 255 printable ASCII characters, none a colon.
    public static func isName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: ":") }
    }

    // MARK: Parts

    private static func tcp(_ rest: String, of text: String) throws(ListenFault) -> Endpoint {
        guard let colon = rest.lastIndex(of: ":"), rest[..<colon].first != "[" || rest[..<colon].last == "]"
        else {
            throw ListenFault("'\(text)' has no port: it takes tcp://ADDRESS:PORT")
        }
        let digits = rest[rest.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits),
            port > 0
        else {
            throw ListenFault("'\(digits)' in '\(text)' is no port: it takes 1 to 65535")
        }
        let host = rest[..<colon]
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host
        let isBracketed = bare.count != host.count
        guard let canonical = canonical(String(bare)), canonical.contains(":") == isBracketed else {
            throw ListenFault(
                "'\(host)' in '\(text)' is no address in digits: 127.0.0.1, 0.0.0.0 for every IPv4 address, "
                    + "[::1], or [::] for every address")
        }
        return .tcp(host: canonical, port: port)
    }

    private static func unix(_ rest: String, of text: String) throws(ListenFault) -> Endpoint {
        let parts = rest.split(separator: ",", omittingEmptySubsequences: false)
        let path = String(parts[0])
        guard PathText.isAbsolute(path), path.utf8.last != UInt8(ascii: "/"), !path.utf8.contains(0) else {
            throw ListenFault("'\(text)' names no file: it takes unix:///an/absolute/path")
        }
        guard path.utf8.count <= SocketAddress.longestPath else {
            throw ListenFault(
                "the path of '\(text)' has \(path.utf8.count) bytes: a socket's has at most \(SocketAddress.longestPath)"
            )
        }
        var mode: UInt32 = 0o600
        for option in parts.dropFirst() {
            guard option.hasPrefix("mode="),
                option.utf8.dropFirst(5).allSatisfy({ (0x30...0x37).contains($0) }),
                let number = UInt32(option.dropFirst(5), radix: 8),
                number <= 0o777
            else {
                throw ListenFault("'\(option)' in '\(text)' is unknown: only mode=OCTAL is, as in mode=0660")
            }
            mode = number
        }
        return .unix(path: path, mode: mode)
    }

    /// The address as the kernel's own text, so that one socket has one name; nil where it is none.
    private static func canonical(_ host: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 16)
        for family in [AF_INET, AF_INET6] where inet_pton(family, host, &bytes) == 1 {
            return SocketAddress.text(family, bytes)
        }
        return nil
    }

    private static func split(_ text: String, at mark: String) -> (String, String)? {
        var place = text.startIndex
        while place < text.endIndex {
            if text[place...].hasPrefix(mark) {
                return (String(text[..<place]), String(text[place...].dropFirst(mark.count)))
            }
            place = text.index(after: place)
        }
        return nil
    }
}

extension ListenAddress.Endpoint {
    /// A name that nobody else's socket has: the address, in the characters that a name may have.
    var name: String {
        let text =
            switch self {
            case .tcp(let host, let port): "tcp-\(host)-\(port)"
            case .unix(let path, _): "unix-\(path)"
            }
        let kept = text.utf8.map {
            (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: ":") ? $0 : UInt8(ascii: ".")
        }
        return String(decoding: kept, as: UTF8.self)
    }

    /// The same place, whatever the permissions.
    func isSamePlace(as other: ListenAddress.Endpoint) -> Bool {
        switch (self, other) {
        case (.tcp, .tcp): self == other
        case (.unix(let path, _), .unix(let otherPath, _)): path == otherPath
        default: false
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    /// As it can be written, without its name.
    public var description: String {
        switch endpoint {
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path, _): "unix://\(path)"
        }
    }
}

/// Why a text is no ``ListenAddress``: one sentence.
public struct ListenFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    public var description: String

    package init(_ description: String) {
        self.description = description
    }
}
