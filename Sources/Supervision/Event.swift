/// What happened. The host turns kernel facts into these, supervision turns these into actions.
public enum Event: Hashable, Sendable {
    case begin
    case incarnation(IncarnationID, Incarnation.Input)
    /// The answer to a measurement of a group.
    case groupMeasured(Int, MemoryMeasurement)
    /// A timer that an action set has come due.
    case timer(TimerID)
    /// Replace running workers, a few at a time; joins a roll that is under way. How many may be missing meanwhile, where
    /// it is not what the group's policy says, holds for the rest of that roll too.
    case restart(Restart, maximumUnavailable: Int? = nil)
    /// Another policy for a group; its `workers` is how many there are to be from now on, with 0 the group
    /// drains. An index that is the number of groups adds one. Without `rolls` the workers that run stay as they
    /// were started.
    indirect case configure(group: Int, GroupPolicy, rolls: Bool)
    /// SIGTERM, the first Ctrl-C, or an embedding program's `stop()`.
    case stop
    /// A second request while stopping: no more grace.
    case kill
}

/// Which workers a restart is about.
public enum Restart: Hashable, Sendable {
    /// Those of every group; each group rolls by itself.
    case all
    /// Those of one group.
    case group(Int)
    /// One.
    case slot(SlotID)
}

/// What is timed of a working incarnation beside its deadline.
public enum Span: String, Hashable, Codable, Sendable, CaseIterable {
    /// The longest life of a worker.
    case lifetime
    /// How long it may be above its threshold.
    case excess
    /// Whether its main process outlives an OOM kill.
    case oom
}

/// Timers are named by what they are for; setting one again moves it.
public enum TimerID: Hashable, Codable, Sendable {
    /// The one deadline an incarnation has in its phase: start timeout, grace, or the retry of a kill.
    case incarnation(IncarnationID)
    /// A time that runs beside that deadline.
    case span(IncarnationID, Span)
    /// The end of a slot's back-off or pacing.
    case slot(SlotID)
    /// The shared tick over all slid wires.
    case wires
    /// The time that a replacement must have run before its group's rolling restart goes on.
    case roll(group: Int)
}
