internal import ArgumentParser
internal import Glibc
internal import SergeantCG
internal import Supervision

/// What an option's value must look like, for the one who wrote another.
struct ValueFault: Error, CustomStringConvertible {
    var description: String
}

/// An amount of memory, as a number of bytes.
struct Size {
    var bytes: UInt64

    @Sendable static func parse(_ text: String) throws -> Size {
        switch Quantity.size(text) {
        case .bytes(let bytes): return Size(bytes: bytes)
        case .percent(let percent): return Size(bytes: UInt64(Double(Capacity.memory()) * percent / 100))
        case nil:
            throw ValueFault(description: "a size is a number of bytes, or one with K, M, G or T, or with %")
        }
    }

    /// 0 switches a limit off, as upstream does.
    var limit: UInt64? { bytes == 0 ? nil : bytes }
}

/// A whole number that is a limit.
struct Count {
    var number: UInt64

    @Sendable static func parse(_ text: String) throws -> Count {
        guard let number = Quantity.count(text) else {
            throw ValueFault(description: "it takes a whole number")
        }
        return Count(number: number)
    }

    var limit: UInt64? { number == 0 ? nil : number }
}

/// How many workers.
enum WorkerCount {
    @Sendable static func parse(_ text: String) throws -> Int {
        if text == "auto" { return Capacity.processors() }
        guard let count = Quantity.count(text), count <= 1_000_000 else {
            throw ValueFault(description: "it takes a whole number up to 1000000, or auto")
        }
        return Int(count)
    }
}

/// A length of time.
enum Time {
    @Sendable static func parse(_ text: String) throws -> Duration {
        guard let duration = Quantity.duration(text) else {
            throw ValueFault(description: "a time is a number of seconds, or one with ms, s, min or h")
        }
        return duration
    }
}

/// `N/SECONDS`; 0 never gives up.
enum FailureLimit {
    @Sendable static func parse(_ text: String) throws -> GroupPolicy.Intensity? {
        if Quantity.count(text) == 0 { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2, let count = Quantity.count(parts[0]), count < 1_000_000,
            let window = Quantity.duration(parts[1]), window > .zero
        else { throw ValueFault(description: "it takes a count and a time, as in 5/60") }
        return GroupPolicy.Intensity(maximumFailures: Int(count), window: window)
    }
}

/// A signal by name or number.
enum SignalName {
    private static let names: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ABRT": SIGABRT, "USR1": SIGUSR1, "USR2": SIGUSR2,
        "ALRM": SIGALRM, "TERM": SIGTERM, "CONT": SIGCONT, "WINCH": SIGWINCH, "KILL": SIGKILL,
    ]

    @Sendable static func parse(_ text: String) throws -> Int32 {
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = names[name] { return number }
        if let number = Quantity.count(text), (1...64).contains(number) { return Int32(number) }
        throw ValueFault(description: "it takes a signal such as TERM, INT or 15")
    }
}

enum LogFormat: String, ExpressibleByArgument {
    case auto, text, json, journal

    var lines: LogLines.Format {
        switch self {
        case .auto: isatty(STDERR_FILENO) == 1 ? .colouredText : .text
        case .text, .journal: .text
        case .json: .json
        }
    }
}

enum LogLevel: String, ExpressibleByArgument {
    case debug, info, warning, error, critical

    var record: Record.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}
