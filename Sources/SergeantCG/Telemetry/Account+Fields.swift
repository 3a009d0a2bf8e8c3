package import Supervision

extension Account {
    /// When it started, as logs and accounts write a time.
    package var started: String {
        let (seconds, rest) = startedMicroseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return LogLines.universalTime(Int(seconds), nanoseconds: Int(rest) * 1000)
    }

    /// How it ended and its figures, as logs and accounts name them, in the order they are written.
    package var fields: [(name: String, value: Record.Value?)] {
        [
            ("reason", .text(reason.rawValue)), ("exit_code", exitCode.map { .integer(Int64($0)) }),
            ("signal", signal.map { .integer(Int64($0)) }), ("oom_kills", .unsigned(oomKills)),
            ("lifetime_usec", .integer(lifetimeMicroseconds)),
        ] + usage.fields.map { ($0.name, $0.value.map { .unsigned($0) }) }
    }
}

extension Usage {
    fileprivate var fields: [(name: String, value: UInt64?)] {
        [
            ("cpu_user_usec", cpuUserMicroseconds), ("cpu_system_usec", cpuSystemMicroseconds),
            ("throttled_usec", throttledMicroseconds), ("memory_peak", memoryPeak),
            ("memory_limit", memoryLimit), ("memory_max", memoryMax), ("page_faults", faults),
            ("major_page_faults", majorFaults), ("io_read_bytes", readBytes),
            ("io_written_bytes", writtenBytes),
            ("pids_peak", processesPeak), ("cpu_stall_usec", cpuStallMicroseconds),
            ("memory_stall_usec", memoryStallMicroseconds), ("io_stall_usec", ioStallMicroseconds),
        ]
    }
}
