/// A limit that the workers' processes have each for itself, and hand to their children (getrlimit(2)).
public struct ResourceLimit: Hashable, Codable, Sendable {
    /// What is limited, by the names of setrlimit(2) and of systemd's `Limit…=`, in small letters.
    public enum Resource: String, Hashable, Codable, Sendable, CaseIterable {
        case cpu, fsize, data, stack, core, rss, nproc, nofile, memlock, `as`, locks, sigpending, msgqueue,
            nice
        case rtprio, rttime

        /// The kernel's number, `RLIMIT_…`: the same on x86-64 and arm64.
        package var number: Int32 { Int32(Self.allCases.firstIndex(of: self) ?? 0) }

        fileprivate var isBytes: Bool {
            switch self {
            case .fsize, .data, .stack, .core, .rss, .memlock, .as, .msgqueue: true
            case .cpu, .nproc, .nofile, .locks, .sigpending, .nice, .rtprio, .rttime: false
            }
        }

        fileprivate var unit: String {
            switch self {
            case .cpu: "whole seconds"
            case .rttime: "microseconds"
            case _ where isBytes: "bytes, with K, M, G or T"
            default: "a whole number"
            }
        }
    }

    /// What is limited.
    public var resource: Resource
    /// What the kernel enforces; ``infinity`` is no limit.
    public var soft: UInt64
    /// What the worker may raise that to.
    public var hard: UInt64

    /// No limit, RLIM_INFINITY.
    public static let infinity = UInt64.max

    /// A configuration is checked when a ``Supervisor`` is made of it, not here.
    public init(_ resource: Resource, soft: UInt64, hard: UInt64) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// What a person may write, for an error's sentence.
    package static let form = "NAME=SOFT[:HARD], as in nofile=1024:4096"

    /// How they may be written in a file: names with values.
    package static let spelling = Spelling.named(
        [true, false].map { isBytes in
            let names = Resource.allCases.filter { $0.isBytes == isBytes }.map {
                Spelling.anyCase($0.rawValue)
            }
            let prefixes = ["rlimit_", "limit"].map { "(?:\(Spelling.anyCase($0)))?" }
            let amount = isBytes ? Quantity.bytesPattern : NumberPattern.whole(upTo: .max)
            let value = "(?:infinity|unlimited|\(amount))"
            return Spelling.Name(
                pattern: "\(prefixes.joined())(?:\(names.joined(separator: "|")))",
                value: .pattern("\(value)(?::\(value))?", numbers: .whole(0 ... .max)))
        })

    /// As on a command line: one number is both limits, as systemd has it.
    package init(parsing text: String) throws(ValueFault) {
        guard let equals = text.firstIndex(of: "=") else {
            throw ValueFault(description: "it takes \(Self.form)")
        }
        resource = try Self.resource(named: String(text[..<equals]))
        let values = text[text.index(after: equals)...].split(
            separator: ":", omittingEmptySubsequences: false)
        guard values.count <= 2, let first = values.first, let last = values.last else {
            throw ValueFault(description: "it takes \(Self.form)")
        }
        soft = try Self.value(String(first), of: resource)
        hard = try Self.value(String(last), of: resource)
        if let fault { throw ValueFault(description: fault) }
    }

    /// What is wrong with it, as a sentence.
    package var fault: String? {
        guard soft > hard else { return nil }
        return
            "the soft limit of \(resource.rawValue) (\(Self.words(soft))) is above its hard limit (\(Self.words(hard)))"
    }

    package static func words(_ value: UInt64) -> String { value == infinity ? "infinity" : String(value) }

    /// `nofile`, and as others write it: `NOFILE`, `RLIMIT_NOFILE`, `LimitNOFILE`.
    private static func resource(named name: String) throws(ValueFault) -> Resource {
        var word = name.lowercased()
        for prefix in ["rlimit_", "limit"] where word.hasPrefix(prefix) {
            word = String(word.dropFirst(prefix.count))
        }
        if let known = Resource(rawValue: word) { return known }
        let names = Resource.allCases.map(\.rawValue)
        let meant = Misspelling.meant(by: word, of: names).map { ". Did you mean '\($0)'?" } ?? ""
        throw ValueFault(
            description: "'\(name)' is none of the limits \(names.joined(separator: ", "))\(meant)")
    }

    private static func value(_ text: String, of resource: Resource) throws(ValueFault) -> UInt64 {
        if text == "infinity" || text == "unlimited" { return infinity }
        if resource.isBytes, case .bytes(let bytes) = Quantity.size(text) { return bytes }
        if !resource.isBytes, let count = Quantity.count(text) { return count }
        throw ValueFault(
            description: "\(resource.rawValue) takes \(resource.unit), or infinity, not '\(text)'")
    }
}
