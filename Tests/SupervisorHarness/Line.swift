internal import FoundationEssentials

/// One line of the JSON log. A field that the event does not have is nil.
package struct Line: Decodable, Sendable {
    /// Its number in the log, from 0.
    package internal(set) var position = 0

    package let time: String
    package let level: String
    package let event: String
    package let message: String
    package let group: String?
    package let worker: String?
    package let slot: Int?
    package let incarnation: Int?
    package let pid: Int32?
    package let cgroup: String?
    package let version: String?
    package let reason: String?
    package let exitCode: Int32?
    package let signal: Int32?
    package let lifetimeMicroseconds: Int64?
    package let memoryPeak: UInt64?
    package let cpuUsageMicroseconds: UInt64?
    package let exception: String?
    package let stacktrace: String?
    package let memoryCurrent: UInt64?
    package let memoryUnreclaimable: UInt64?
    package let memoryLimit: UInt64?
    package let oomKills: UInt64?
    package let oomScope: String?
    package let delayMicroseconds: Int64?
    package let failures: Int?
    package let windowMicroseconds: Int64?
    /// What else the line has.
    package let other: [String: JSONValue]

    private enum Key: String, CodingKey {
        case time, level, event, message, group, worker, slot, incarnation, pid, cgroup, version, reason
        case exitCode = "exit_code"
        case signal
        case lifetimeMicroseconds = "lifetime_usec"
        case memoryPeak = "memory_peak"
        case cpuUsageMicroseconds = "cpu_usage_usec"
        case exception, stacktrace
        case memoryCurrent = "memory_current"
        case memoryUnreclaimable = "memory_unreclaimable"
        case memoryLimit = "memory_limit"
        case oomKills = "oom_kills"
        case oomScope = "oom_scope"
        case delayMicroseconds = "delay_usec"
        case failures
        case windowMicroseconds = "window_usec"
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) { nil }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        time = try container.decode(String.self, forKey: .time)
        level = try container.decode(String.self, forKey: .level)
        event = try container.decode(String.self, forKey: .event)
        message = try container.decode(String.self, forKey: .message)
        group = try container.decodeIfPresent(String.self, forKey: .group)
        worker = try container.decodeIfPresent(String.self, forKey: .worker)
        slot = try container.decodeIfPresent(Int.self, forKey: .slot)
        incarnation = try container.decodeIfPresent(Int.self, forKey: .incarnation)
        pid = try container.decodeIfPresent(Int32.self, forKey: .pid)
        cgroup = try container.decodeIfPresent(String.self, forKey: .cgroup)
        version = try container.decodeIfPresent(String.self, forKey: .version)
        reason = try container.decodeIfPresent(String.self, forKey: .reason)
        exitCode = try container.decodeIfPresent(Int32.self, forKey: .exitCode)
        signal = try container.decodeIfPresent(Int32.self, forKey: .signal)
        lifetimeMicroseconds = try container.decodeIfPresent(Int64.self, forKey: .lifetimeMicroseconds)
        memoryPeak = try container.decodeIfPresent(UInt64.self, forKey: .memoryPeak)
        cpuUsageMicroseconds = try container.decodeIfPresent(UInt64.self, forKey: .cpuUsageMicroseconds)
        exception = try container.decodeIfPresent(String.self, forKey: .exception)
        stacktrace = try container.decodeIfPresent(String.self, forKey: .stacktrace)
        memoryCurrent = try container.decodeIfPresent(UInt64.self, forKey: .memoryCurrent)
        memoryUnreclaimable = try container.decodeIfPresent(UInt64.self, forKey: .memoryUnreclaimable)
        memoryLimit = try container.decodeIfPresent(UInt64.self, forKey: .memoryLimit)
        oomKills = try container.decodeIfPresent(UInt64.self, forKey: .oomKills)
        oomScope = try container.decodeIfPresent(String.self, forKey: .oomScope)
        delayMicroseconds = try container.decodeIfPresent(Int64.self, forKey: .delayMicroseconds)
        failures = try container.decodeIfPresent(Int.self, forKey: .failures)
        windowMicroseconds = try container.decodeIfPresent(Int64.self, forKey: .windowMicroseconds)
        let all = try decoder.container(keyedBy: AnyKey.self)
        var rest: [String: JSONValue] = [:]
        for key in all.allKeys where Key(rawValue: key.stringValue) == nil {
            rest[key.stringValue] = try all.decode(JSONValue.self, forKey: key)
        }
        other = rest
    }

    /// When it happened, in microseconds since 1970; nil where the time is not RFC 3339 in UTC with six digits
    /// of a second.
    package var microseconds: Int64? { WallClock.microseconds(time) }

    /// - Returns: nil where it is no line of the JSON log.
    package static func parse(_ bytes: some Sequence<UInt8>) -> Line? {
        try? JSONDecoder().decode(Line.self, from: Data(bytes))
    }
}
