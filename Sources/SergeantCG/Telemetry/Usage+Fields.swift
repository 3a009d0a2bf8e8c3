package import Supervision

extension Usage {
    /// Its figures, as logs and accounts name them, in the order they are written.
    package var fields: [(name: String, value: UInt64?)] {
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
