internal import CLinux
internal import FoundationEssentials
internal import Glibc
public import Supervision

/// The log of the program: one line per occurrence on a descriptor, as text or as JSON.
public final class LogLines: ProgramLog, Remembering {
    /// How a line looks.
    public enum Format: Sendable {
        /// Upstream's: date, `Supervisor`, process ID, level, message.
        case text
        /// The same with colour.
        case colouredText
        case json
    }

    private let sink: LineSink
    private let process = getpid()
    private let format: Format
    private let least: Record.Level

    /// - Parameters:
    ///   - descriptor: where the lines go; it stays the caller's.
    ///   - least: records below this level are left out.
    public init(descriptor: Int32, format: Format, least: Record.Level = .info) {
        sink = LineSink(descriptor: descriptor)
        self.format = format
        self.least = least
    }

    /// Adds the line of this occurrence.
    public func observe(_ occurrence: Occurrence, named names: Names) {
        write(Record(occurrence, names: names))
    }

    /// A line of text has no room for it.
    public var tellsUsage: Bool { format == .json }

    package var awaitedDescriptor: Int32? { sink.isWaiting ? sink.readiness : nil }

    package func finish() {
        flush()
        sink.drain(milliseconds: 500)
    }

    // MARK: Across an upgrade

    package let memoryName = "log"

    package func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(sink.memory))
    }

    package func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(LineSink.Memory.self, from: memory.bytes) else { return }
        sink.recall(memory)
    }

    package func write(_ record: Record) {
        guard record.level >= least else { return }
        let now = timespec.wallClock()
        switch format {
        case .json: sink.append(Self.json(record, at: now) + [UInt8(ascii: "\n")])
        case .text: sink.append(text(record, at: now, coloured: false))
        case .colouredText: sink.append(text(record, at: now, coloured: true))
        }
    }

    /// Tries to write what waits; what had to be dropped meanwhile is said first.
    package func flush() {
        sink.flush()
        guard sink.dropped > 0, sink.hasRoom else { return }
        let dropped = sink.takeDropped()
        write(
            Record(
                .warning, "log_dropped", "\(dropped) log lines were dropped: nobody read the log",
                [("lines", .unsigned(dropped))]))
        sink.flush()
    }

    // MARK: Formats

    /// A line without its end.
    static func json(_ record: Record, at time: timespec) -> [UInt8] {
        var text = JSONText()
        text.object { object in
            object.member("time", .text(universalTime(time.tv_sec, nanoseconds: time.tv_nsec)))
            object.member("level", .text(record.level.name))
            object.member("event", .text(record.event))
            object.member("message", .text(record.message))
            for (name, value) in record.fields { object.member(name, value) }
        }
        return text.bytes
    }

    private func text(_ record: Record, at time: timespec, coloured: Bool) -> [UInt8] {
        let names = ["DEBUG   ", "INFO    ", "WARNING ", "ERROR   ", "CRITICAL"]
        // What is usual has no colour.
        let colours = ["2", "", "33", "31", "1;31"]
        let date = Self.localTime(time)
        let level = names[record.level.rawValue]
        let message = Self.escaped(record.message)
        let line = "\(date) Supervisor   \(process) \(level) \(message)"
        let colour = coloured ? colours[record.level.rawValue] : ""
        return Array((colour.isEmpty ? line : "\u{1B}[\(colour)m\(line)\u{1B}[0m").utf8) + [
            UInt8(ascii: "\n")
        ]
    }

    /// A message may hold an exception's text: it stays one line, and does nothing to a terminal.
    package static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isControl(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // C0, delete and C1; the line and the paragraph separator.
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
        default: false
        }
    }

    /// RFC 3339, UTC, microseconds: a time since 1970.
    package static func universalTime(_ seconds: Int, nanoseconds: Int) -> String {
        var seconds = seconds
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "1970-01-01T00:00:00.000000Z" }
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):"
            + "\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padded(nanoseconds / 1000, to: 6))Z"
    }

    /// The same, of the time so long before now.
    package static func universalTime(before duration: Duration) -> String {
        let now = timespec.wallClock()
        let (seconds, attoseconds) = (.seconds(now.tv_sec) + .nanoseconds(now.tv_nsec) - duration).components
        return universalTime(Int(seconds), nanoseconds: Int(attoseconds / 1_000_000_000))
    }

    private static func localTime(_ time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "1970-01-01 00:00:00" }
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(two(parts.tm_hour)):"
            + "\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }

    private static func two(_ number: Int32) -> String { padded(Int(number), to: 2) }

    /// With zeroes before it, to this many digits.
    package static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
