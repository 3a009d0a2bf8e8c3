/// An occurrence made ready to be written: what every log, in whatever format, says of it.
public struct Record: Sendable {
    /// How much a record matters, from little to much.
    public enum Level: Int, Hashable, Comparable, Sendable, CaseIterable {
        case debug, info, warning, error, critical

        /// The left one matters less.
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        /// As the JSON log writes it.
        public var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            case .critical: "critical"
            }
        }
    }

    /// What a field may hold.
    public enum Value: Hashable, Sendable {
        case text(String)
        case integer(Int64)
        case unsigned(UInt64)
        case boolean(Bool)
        case texts([String])
    }

    /// How much it matters.
    public var level: Level
    /// The event's name, such as `worker_exited`.
    public var event: String
    /// One sentence for a person.
    public var message: String
    /// In the order they are written.
    public var fields: [(name: String, value: Value)]

    /// Takes each part as it is.
    public init(
        _ level: Level, _ event: String, _ message: String, _ fields: [(name: String, value: Value)] = []
    ) {
        self.level = level
        self.event = event
        self.message = message
        self.fields = fields
    }

    mutating func add(_ name: String, _ value: Value?) {
        if let value { fields.append((name, value)) }
    }
}
