internal import SergeantCG

/// Where an exporter listens: an address in digits, and a port.
struct Endpoint: Hashable, CustomStringConvertible {
    /// Seen from this machine alone.
    static let standard = Endpoint(host: "127.0.0.1", port: 9797)

    let host: String
    let port: UInt16

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// - Throws: ``ListenFault``, a sentence that names the text and what is wrong with it.
    init(parsing text: String) throws(ListenFault) {
        guard !text.contains("://"), text.contains(":") else {
            throw ListenFault("'\(text)' is not of the form ADDRESS:PORT")
        }
        guard case .tcp(let host, let port) = try ListenAddress(parsing: "tcp://\(text)").endpoint else {
            preconditionFailure("what begins with tcp:// is a TCP address, or none")
        }
        self.init(host: host, port: port)
    }
}
