/// What may be read and written of one block device in a second, a line of `io.max`. Nil is no limit.
public struct IOLimit: Hashable, Codable, Sendable {
    /// Of the device, a whole disk: partitions have no limits of their own.
    public var major: UInt32
    /// The other part of its number.
    public var minor: UInt32
    /// `rbps`, bytes read.
    public var readBytes: UInt64?
    /// `wbps`, bytes written.
    public var writeBytes: UInt64?
    /// `riops`, reads.
    public var reads: UInt64?
    /// `wiops`, writes.
    public var writes: UInt64?

    /// A configuration is checked when a ``Supervisor`` is made of it, not here.
    public init(
        major: UInt32, minor: UInt32, readBytes: UInt64? = nil, writeBytes: UInt64? = nil,
        reads: UInt64? = nil, writes: UInt64? = nil
    ) {
        self.major = major
        self.minor = minor
        self.readBytes = readBytes
        self.writeBytes = writeBytes
        self.reads = reads
        self.writes = writes
    }

    /// What a person may write, for an error's sentence.
    package static let form = "DEVICE,rbps=10M,wbps=10M,riops=100,wiops=100"

    /// The device's number as the kernel writes it.
    package var device: String { "\(major):\(minor)" }

    /// What `io.max` takes, whole: it says of each of the four what it is.
    package var line: String {
        let values = Self.names.map { name, path in
            "\(name)=\(self[keyPath: path].map { String($0) } ?? "max")"
        }
        return "\(device) \(values.joined(separator: " "))"
    }

    /// What takes these limits away again.
    package var lifted: IOLimit { IOLimit(major: major, minor: minor) }

    private static var names: [(name: String, path: WritableKeyPath<IOLimit, UInt64?>)] {
        [("rbps", \.readBytes), ("wbps", \.writeBytes), ("riops", \.reads), ("wiops", \.writes)]
    }

    // MARK: Text

    /// How it may be written; whether there is such a device, and nothing twice, is for the reader alone to see.
    package static let spelling = Spelling.pattern(
        "[^, ]+(?:[, ](?:[rw]bps=(?:max|\(Quantity.bytesPattern))"
            + "|[rw]iops=(?:max|\(NumberPattern.whole(upTo: UInt64(UInt32.max))))))+")

    /// As on a command line: the device, then one value or more, parted by commas, or by spaces as the kernel has them.
    ///
    /// - Parameter find: gives a device's numbers by its path or numbers.
    package init(
        parsing text: String, find: (String) throws(ValueFault) -> (major: UInt32, minor: UInt32)
    ) throws(ValueFault) {
        let words = text.split(omittingEmptySubsequences: false) { $0 == "," || $0 == " " }.map(String.init)
        guard words.count > 1, let device = words.first, !device.isEmpty else {
            throw ValueFault(description: "it takes \(Self.form), with one of the four at least")
        }
        for word in words.dropFirst() where !word.contains("=") {
            throw ValueFault(
                description:
                    "'\(word)' is none of \(Self.names.map { "\($0.name)=" }.joined(separator: ", "))")
        }
        (major, minor) = try find(device)
        for word in words.dropFirst() { try take(word) }
    }

    private mutating func take(_ word: String) throws(ValueFault) {
        let name = String(word.prefix { $0 != "=" })
        let value = String(word.dropFirst(name.count + 1))
        guard let known = Self.names.first(where: { $0.name == name }) else {
            let meant = Misspelling.meant(by: name, of: Self.names.map(\.name)).map {
                ". Did you mean '\($0)'?"
            }
            throw ValueFault(
                description:
                    "'\(name)' is none of \(Self.names.map(\.name).joined(separator: ", "))\(meant ?? "")")
        }
        guard self[keyPath: known.path] == nil else {
            throw ValueFault(description: "\(name) stands twice for \(device)")
        }
        self[keyPath: known.path] = try Self.amount(value, of: name)
    }

    /// 0 and `max` are no limit.
    private static func amount(_ text: String, of name: String) throws(ValueFault) -> UInt64? {
        if text == "max" { return nil }
        if name.hasSuffix("iops") {
            guard let count = Quantity.count(text), count <= UInt64(UInt32.max) else {
                throw ValueFault(description: "\(name) takes a whole number of operations a second")
            }
            return count == 0 ? nil : count
        }
        guard case .bytes(let bytes) = Quantity.size(text) else {
            throw ValueFault(
                description: "\(name) takes a number of bytes a second, or one with K, M, G or T")
        }
        return bytes == 0 ? nil : bytes
    }

    /// Several of them, those of one device made one.
    package static func merge(_ limits: [IOLimit]) throws(ValueFault) -> [IOLimit] {
        var merged: [IOLimit] = []
        for limit in limits {
            guard let index = merged.firstIndex(where: { $0.device == limit.device }) else {
                merged.append(limit)
                continue
            }
            for (name, path) in names {
                guard let value = limit[keyPath: path] else { continue }
                guard merged[index][keyPath: path] == nil else {
                    throw ValueFault(description: "\(name) stands twice for \(limit.device)")
                }
                merged[index][keyPath: path] = value
            }
        }
        return merged
    }
}
