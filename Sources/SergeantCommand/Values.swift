internal import ArgumentParser
internal import Glibc
internal import SergeantCG
internal import Supervision

struct Size: ExpressibleByArgument {
    var bytes: UInt64

    init?(argument: String) {
        switch Quantity.size(argument) {
        case .bytes(let bytes): self.bytes = bytes
        case .percent(let percent): bytes = UInt64(Double(Capacity.memory()) * percent / 100)
        case nil: return nil
        }
    }

    /// 0 switches a limit off, as upstream does.
    var limit: UInt64? { bytes == 0 ? nil : bytes }
}

struct Count: ExpressibleByArgument {
    var number: UInt64

    init?(argument: String) {
        guard let number = Quantity.count(argument) else { return nil }
        self.number = number
    }

    var limit: UInt64? { number == 0 ? nil : number }
}

struct WorkerCount: ExpressibleByArgument, CustomStringConvertible {
    var number: Int

    init(number: Int) {
        self.number = number
    }

    init?(argument: String) {
        if argument == "auto" {
            number = Capacity.processors()
        } else {
            guard let count = Quantity.count(argument), count <= 1_000_000 else { return nil }
            number = Int(count)
        }
    }

    var description: String { "\(number)" }
    var defaultValueDescription: String { description }
}

struct Time: ExpressibleByArgument {
    var duration: Duration

    init(duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        guard let duration = Quantity.duration(argument) else { return nil }
        self.duration = duration
    }

    /// 0 is no limit.
    var limit: Duration? { duration == .zero ? nil : duration }

    var defaultValueDescription: String {
        let milliseconds = duration.microseconds / 1000
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}

struct FailureLimit: ExpressibleByArgument {
    var intensity: GroupPolicy.Intensity?

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let count = Quantity.count(parts[0]), count < 1_000_000,
            let window = Quantity.duration(parts[1]), window > .zero
        else {
            guard Quantity.count(argument) == 0 else { return nil }
            return
        }
        intensity = GroupPolicy.Intensity(maximumFailures: Int(count), window: window)
    }
}

struct SignalName: ExpressibleByArgument {
    private static let names: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ABRT": SIGABRT, "USR1": SIGUSR1, "USR2": SIGUSR2,
        "ALRM": SIGALRM, "TERM": SIGTERM, "CONT": SIGCONT, "WINCH": SIGWINCH, "KILL": SIGKILL,
    ]

    var number: Int32

    init(number: Int32) {
        self.number = number
    }

    init?(argument: String) {
        let upper = argument.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = Self.names[name] {
            self.number = number
        } else if let number = Int32(argument), (1...64).contains(number) {
            self.number = number
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        Self.names.first { $0.value == number }?.key ?? "\(number)"
    }
}

enum LogFormat: String, ExpressibleByArgument {
    case auto, text, json

    var lines: LogLines.Format {
        switch self {
        case .auto: isatty(STDERR_FILENO) == 1 ? .colouredText : .text
        case .text: .text
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
