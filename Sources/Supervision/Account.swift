/// What became of one incarnation and all that it took, told once: when its cgroup is gone, or never will be.
public struct Account: Hashable, Codable, Sendable {
    /// Of its main process; nil where it had none.
    public var pid: Int32?
    /// Why it ended.
    public var reason: Reason
    /// Nil where a signal killed it, or nobody knows.
    public var exitCode: Int32?
    /// Nil where it exited, or nobody knows.
    public var signal: Int32?
    /// Processes of it that the kernel killed for their memory.
    public var oomKills: UInt64
    /// CLOCK_REALTIME at its start, in microseconds since 1970.
    public var startedMicroseconds: Int64
    /// From its start to the end of its main process.
    public var lifetimeMicroseconds: Int64
    /// What its cgroup says that it took.
    public var usage = Usage()

    /// The account of one that has just ended; nil for one that was never started, which took nothing.
    ///
    /// - Parameter time: CLOCK_REALTIME, in microseconds since 1970.
    public init?(_ end: Occurrence.End, pid: Int32?, at time: Int64) {
        guard let exit = end.exit else { return nil }
        self.pid = pid
        reason = end.reason
        exitCode = exit.code
        signal = exit.signal
        oomKills = exit.memory?.oomKill ?? 0
        startedMicroseconds = time - end.lifetime.microseconds
        lifetimeMicroseconds = end.lifetime.microseconds
    }
}
