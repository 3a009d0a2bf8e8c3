/// What happened. The host turns kernel facts into these, supervision turns these into actions.
public enum Event: Hashable, Sendable {
    case begin
    case incarnation(IncarnationID, Incarnation.Input)
    /// A timer that an action set has come due.
    case timer(TimerID)
    /// SIGTERM, the first Ctrl-C, or an embedding program's `stop()`.
    case stop
    /// A second request while stopping: no more grace.
    case kill
}

/// Timers are named by what they are for; setting one again moves it.
public enum TimerID: Hashable, Sendable {
    /// The one deadline an incarnation has in its phase: start timeout, grace, or the retry of a kill.
    case incarnation(IncarnationID)
    /// The end of a slot's back-off or pacing.
    case slot(SlotID)
    /// The shared tick over all slid wires.
    case wires
}
