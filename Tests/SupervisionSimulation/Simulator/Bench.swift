package import Supervision

/// Supervision with a clock in hand: tells events and keeps what they led to.
package struct Bench {
    package var supervision: Supervision
    package var now = Instant(nanoseconds: 1_000_000_000)
    /// What the last event led to.
    package var actions: [Action] = []
    private var pids: Int32 = 100

    package init(_ policies: GroupPolicy..., seed: UInt64 = 1) {
        supervision = Supervision(policies, seed: seed)
    }

    package mutating func tell(_ event: Event, after delay: Duration = .zero) {
        now = now + delay
        actions = supervision.handle(event, at: now)
    }

    package mutating func tell(_ id: IncarnationID, _ input: Incarnation.Input, after delay: Duration = .zero)
    {
        tell(.incarnation(id, input), after: delay)
    }

    /// Answers the start of an incarnation with a process of its own.
    package mutating func start(_ id: IncarnationID, after delay: Duration = .zero) {
        pids += 1
        tell(id, .started(pid: pids), after: delay)
    }

    package mutating func exit(_ id: IncarnationID, _ code: Int32, after delay: Duration = .zero) {
        tell(id, .exited(Exit(status: .code(code))), after: delay)
    }

    /// Moves to the instant that a timer was set to by the last event, and tells it.
    package mutating func fire(_ timer: TimerID) {
        for action in actions {
            if case .setTimer(timer, let instant) = action { now = max(now, instant) }
        }
        tell(.timer(timer))
    }

    package var occurrences: [Occurrence] {
        actions.compactMap { if case .report(let occurrence) = $0 { occurrence } else { nil } }
    }

    package var ends: [Occurrence.End] {
        occurrences.compactMap { if case .workerExited(_, _, let end) = $0 { end } else { nil } }
    }

    /// When the last event set a timer, how far ahead.
    package func delay(of timer: TimerID) -> Duration? {
        for action in actions.reversed() {
            if case .setTimer(timer, let instant) = action { return instant - now }
        }
        return nil
    }
}

/// The first group's incarnation `number` of slot `slot`.
package func life(_ slot: Int, _ number: Int) -> IncarnationID {
    IncarnationID(group: 0, slot: slot, number: number)
}
