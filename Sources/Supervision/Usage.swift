/// All that one incarnation took, children and what it left behind included: read from its own cgroup at its end, and no
/// sample of anything. What the kernel does not account there is nil.
public struct Usage: Hashable, Codable, Sendable {
    /// CPU time in user space.
    public var cpuUserMicroseconds: UInt64?
    /// CPU time in the kernel.
    public var cpuSystemMicroseconds: UInt64?
    /// Time it stood still because its share of CPU was used up (`cpu.max`).
    public var throttledMicroseconds: UInt64?
    /// The most memory it ever held, in bytes (`memory.peak`).
    public var memoryPeak: UInt64?
    /// Page faults, major ones included.
    public var faults: UInt64?
    /// Page faults for which a device had to be read.
    public var majorFaults: UInt64?
    /// Bytes read from block devices.
    public var readBytes: UInt64?
    /// Bytes written to block devices.
    public var writtenBytes: UInt64?
    /// The most processes and threads it ever had (`pids.peak`, Linux 6.1).
    public var processesPeak: UInt64?
    /// Time in which some of it waited for a CPU (PSI).
    public var cpuStallMicroseconds: UInt64?
    /// Time in which some of it waited for memory (PSI).
    public var memoryStallMicroseconds: UInt64?
    /// Time in which some of it waited for a device (PSI).
    public var ioStallMicroseconds: UInt64?
    /// The limit in bytes beyond which it would have been recycled; nil where there was none.
    public var memoryLimit: UInt64?
    /// The limit in bytes at which the kernel would have killed it; nil where there was none.
    public var memoryMax: UInt64?

    /// Nothing is known.
    public init() {}
}
