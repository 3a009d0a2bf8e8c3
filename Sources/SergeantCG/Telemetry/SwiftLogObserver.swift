public import Logging
public import Supervision

/// Tells an embedding program's own logger, with the fields as metadata.
public final class SwiftLogObserver: Observer {
    private let logger: Logger

    /// Tells this logger.
    public init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs this occurrence, if the logger's level lets it.
    public func observe(_ occurrence: Occurrence, named names: Names) {
        let record = Record(occurrence, names: names)
        let level: Logger.Level =
            switch record.level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
        guard level >= logger.logLevel else { return }
        var metadata: Logger.Metadata = ["event": .string(record.event)]
        for (name, value) in record.fields {
            metadata[name] =
                switch value {
                case .text(let text): .string(text)
                case .integer(let number): .stringConvertible(number)
                case .unsigned(let number): .stringConvertible(number)
                case .boolean(let flag): .stringConvertible(flag)
                case .texts(let texts): .array(texts.map { .string($0) })
                }
        }
        logger.log(level: level, "\(record.message)", metadata: metadata)
    }
}
