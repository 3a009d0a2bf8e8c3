/// What is to be done. The host does it and decides nothing; what comes of it returns as an event.
public enum Action: Hashable, Sendable {
    /// Make the incarnation's cgroup, limit it, and start the worker in it. Answer: `started` or `startFailed`.
    case start(IncarnationID)
    /// Send the stop signal to the main process. Comes once in an incarnation's life.
    case signal(IncarnationID)
    /// Send SIGABRT to the main process, in place of the stop signal: a core dump shows where it hung.
    case abort(IncarnationID)
    /// Send the stop signal to every process left in the cgroup. Comes once, after the main process ended.
    case signalLeftovers(IncarnationID)
    /// Write `cgroup.kill`.
    case kill(IncarnationID)
    /// Answer `emptied` when the cgroup holds no process any more, at once if that is so already.
    case watchForEmptiness(IncarnationID)
    /// Answer `measured`.
    case measureMemory(IncarnationID)
    /// Answer `groupMeasured`.
    case measureGroup(Int)
    /// Write `memory.high`; nil is `max`. Never below what was just measured, so it cannot block in reclaim.
    case setMemoryHigh(IncarnationID, UInt64?)
    /// Write `memory.max`; nil is `max`. Never below what was just measured.
    case setMemoryMax(IncarnationID, UInt64?)
    /// Write `memory.max` although more than that is in use: the kernel takes it back first, which may take long.
    case lowerMemoryMax(IncarnationID, UInt64)
    /// Stop, or take up again, telling of this incarnation's `memory.events`.
    case observeMemoryEvents(IncarnationID, Bool)
    /// Remove the cgroup. Answer: `removed` or `removalFailed`.
    case remove(IncarnationID)
    case setTimer(TimerID, Instant)
    case cancelTimer(TimerID)
    /// Tell the observers.
    case report(Occurrence)
    /// All is done; nothing follows.
    case finish(Outcome)
}

/// How supervision as a whole ended.
public enum Outcome: Hashable, Codable, Sendable {
    /// As asked, by a signal or by a worker that asked for it.
    case stopped
    /// Workers cannot run, or failed too often.
    case failed
}
