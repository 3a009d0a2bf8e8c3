/// `memory.events` of a worker's cgroup, the counters that decide something.
/// Counters are compared, events never counted: inotify merges them.
public struct MemoryCounters: Hashable, Codable, Sendable {
    /// How often `memory.high` was passed.
    public var high: UInt64
    /// How often `memory.max` was met.
    public var max: UInt64
    /// How often the cgroup was out of memory at its own limit.
    public var oom: UInt64
    /// Processes killed, not deaths: a group kill of three counts three.
    public var oomKill: UInt64

    /// Takes each fact as it is.
    public init(high: UInt64 = 0, max: UInt64 = 0, oom: UInt64 = 0, oomKill: UInt64 = 0) {
        self.high = high
        self.max = max
        self.oom = oom
        self.oomKill = oomKill
    }
}

/// What a worker's cgroup holds at one moment, in bytes.
public struct MemoryMeasurement: Hashable, Sendable {
    /// `memory.current`.
    public var current: UInt64
    /// What reclaim cannot take back: anon + shmem + kernel - slab_reclaimable of `memory.stat`.
    public var unreclaimable: UInt64

    /// Takes each fact as it is.
    public init(current: UInt64, unreclaimable: UInt64) {
        self.current = current
        self.unreclaimable = unreclaimable
    }
}

/// How a process ended, as the kernel tells its parent (waitid(2)).
public enum ExitStatus: Hashable, Sendable {
    case code(Int32)
    case signal(Int32, coreDumped: Bool)
    /// Only its parent is told, and that was an earlier supervisor.
    case unknown
}

/// What a `sergeant` worker said of its own end, through the launcher.
public struct WorkerReport: Hashable, Codable, Sendable {
    /// The worker's return code, 0 to 7; it overrides the process's own status. Nil where `sergeant` itself
    /// could not be imported.
    public var returnCode: Int32?
    /// The exception that ended it, as text.
    public var exception: String?
    /// Its stack trace, as text.
    public var stacktrace: String?
    /// The names of threads that would not end.
    public var unkillableThreads: [String]
    /// All else that it counted and found, as JSON text that nothing here reads.
    public var summary: String?

    /// Takes each fact as it is.
    public init(
        returnCode: Int32?, exception: String? = nil, stacktrace: String? = nil,
        unkillableThreads: [String] = [], summary: String? = nil
    ) {
        self.returnCode = returnCode
        self.exception = exception
        self.stacktrace = stacktrace
        self.unkillableThreads = unkillableThreads
        self.summary = summary
    }

    /// The worker cannot run at all: no module, no class, a module that raises, no `sergeant`.
    public var cannotLoad: Bool {
        switch returnCode {
        case nil, 2, 3, 7: true
        default: false
        }
    }
}

/// Everything known at the moment a worker's main process was reaped, read before its cgroup is removed.
public struct Exit: Hashable, Sendable {
    /// How the main process ended.
    public var status: ExitStatus
    /// What a `sergeant` worker said before.
    public var report: WorkerReport?
    /// Nil without the memory controller.
    public var memory: MemoryCounters?
    /// `memory.peak` in bytes; nil without the memory controller, and where nobody tells it.
    public var memoryPeak: UInt64?
    /// `usage_usec` of `cpu.stat`, children included; nil where nobody tells it.
    public var cpuMicroseconds: UInt64?
    /// `max` of `pids.events`, forks that a limit refused; nil where `pids.max` was not set.
    public var refusals: UInt64?

    /// Takes each fact as it is.
    public init(
        status: ExitStatus, report: WorkerReport? = nil, memory: MemoryCounters? = nil,
        memoryPeak: UInt64? = nil, cpuMicroseconds: UInt64? = nil, refusals: UInt64? = nil
    ) {
        self.status = status
        self.report = report
        self.memory = memory
        self.memoryPeak = memoryPeak
        self.cpuMicroseconds = cpuMicroseconds
        self.refusals = refusals
    }

    /// What a `sergeant` worker said its code is, else the main process's own; nil where a signal killed it.
    public var code: Int32? {
        if let code = report?.returnCode { return code }
        guard case .code(let code) = status else { return nil }
        return code
    }

    /// The signal that killed the main process; nil too where the worker had said its code before.
    public var signal: Int32? {
        guard report?.returnCode == nil, case .signal(let number, _) = status else { return nil }
        return number
    }
}

/// Why an incarnation could not be started.
public struct StartFailure: Hashable, Codable, Sendable {
    /// No further try can succeed before a person changes something: no such program, not executable.
    public var isPermanent: Bool
    /// One sentence, with operation, path and errno.
    public var sentence: String

    /// Takes each fact as it is.
    public init(isPermanent: Bool, sentence: String) {
        self.isPermanent = isPermanent
        self.sentence = sentence
    }
}
