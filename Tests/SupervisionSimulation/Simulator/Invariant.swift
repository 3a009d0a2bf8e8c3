/// What must hold after every step of every history. Each is checked by the ledger, from events and actions
/// alone, with none of supervision's own code.
package enum Invariant: String, CaseIterable, Sendable {
    /// At most one incarnation of a slot is not on its way out.
    case oneNotDraining
    /// The numbers of a slot's incarnations rise by one; none is used twice.
    case numbersRise
    /// Each started incarnation is said to have ended exactly once, in the step that learns of it.
    case endsOnce
    /// What is told of an end is so: the exit, how long it lived, OOM kills and whose limit, and whether it is
    /// the last of its slot because all stops.
    case endIsTrue
    /// The reason of an end is the first cause that was acted on, else what the exit itself says.
    case rightReason
    /// "was respawned as": the predecessor that is named is the slot's last one before.
    case rightPredecessor
    /// A respawn waits for its back-off: initial, doubled with each failure in a row, jittered by a fifth, at
    /// most the maximum; forgotten after a healthy run or a success; and no wait that is not due.
    case backOffKept
    /// Two starts of one slot are a tenth of a second apart at least; that it is paced is said once.
    case paced
    /// No event for an incarnation that is gone leads to an action, and no action names one.
    case nothingForTheGone
    /// More failures than allowed within the window fail the group at that step, no fewer do.
    case intensityKept
    /// A worker that cannot run fails its group before the group's first readiness, never after.
    case fatalBeforeReady
    /// The stop signal comes with `memory.high` lifted; in a breach `memory.max` is bounded in between.
    case drainOrder
    /// No worker that got the stop signal runs on past its grace (and the allowance for throttling) unkilled.
    case killedAfterGrace
    /// No kill before the grace is over, unless a second request took the grace away.
    case graceKept
    /// The stop signal comes at most once in an incarnation's life, and so does the one for leftovers.
    case signalsOnce
    /// A second request kills at once whatever runs, and whatever is just being started as soon as it runs.
    case secondStopKills
    /// A stop reaches every worker in the step in which it comes.
    case stopReachesAll
    /// After a stop all ends in bounded time, even if no worker ever obeys or dies.
    case endsInBoundedTime
    /// What does not die is not given up before it was killed five times over, nor a cgroup before its removal
    /// failed so often or was refused.
    case givesUpLate
    /// Nothing is started once a stop was told.
    case noStartAfterStop
    /// No more starts than allowed await their answer.
    case startsInFlight
    /// No start while two incarnations of the slot that may still run are on their way out.
    case drainingBounded
    /// `memory.high` and `memory.max` are never put below what was last measured.
    case limitsAboveUse
    /// A worker measured above its threshold is recycled in that step, one well below it never is.
    case recyclesAtLimit
    /// A look leaves the wire no further than the next place where a breach is possible, unless it was there
    /// already; the hard limit stands for it only where that is nearer.
    case wireGuards
    /// Counters that rose lead to a look; they are heard wherever there is room below the hard limit.
    case alarmsHeard
    /// While a wire is slid the shared tick is set; while none is, it is not.
    case slidWireWatched
    /// A worker is said to be ready once, when it is; the supervisor once, when all workers are.
    case readiness
    /// A slot without a worker has a timer set, waits for a place among the starts, or for a predecessor.
    case slotsStaffed
    /// What is on its way out has a deadline set, or the host owes an answer.
    case nothingForgotten
    /// A cgroup is removed only after the end of its main process, and asked for once at a time.
    case removesTheDead
    /// No timer stays set for what is gone or ready, for a slot that is staffed, or after a stop.
    case timersCleared
    /// While a worker is stopped for a rolling restart, fewer than its group may miss are without a worker known
    /// to work because of it.
    case rollsInTurn
    /// A rolling restart is told to begin once and to end once, renews each slot it is about, once for each
    /// request, and stops no other worker.
    case rollsEach
    /// A replacement that fails before it is known to work ends the rolling restart in that step.
    case rollStopsAtFailure
    /// A rolling restart that can go on does, and ends when nothing is left to renew.
    case rollGoesOn
    /// A group has as many workers as its newest policy says, in its first slots; the others leave in the step
    /// that says so.
    case scalesAsAsked
    /// A supervision that was encoded and decoded does what the original does, and names the timers it has set.
    case survivesTransfer
    /// A worker yields to its successor only where its group surges and its memory has room for both, and only until
    /// that one is ready.
    case surgesWithRoom
    /// A worker may be above its threshold for as long as its group says, and no longer.
    case sustainKept
    /// An OOM kill that the main process outlives is told while it lives, and is not the reason of its end.
    case oomKillsTold
    /// A worker that lives for its group's longest life, or up to a fifth less, is recycled then, no other is.
    case livesNoLonger
    /// A slot whose worker is not to be followed by another has none until that is asked for, and when all rest,
    /// all ends.
    case restsWhenDone
    /// The finish comes once, in the step in which nothing is left after a stop, and nothing follows it.
    case finishesOnce
}

/// An invariant that did not hold.
package struct Violation: Error, Sendable {
    package var invariant: Invariant
    package var sentence: String
}
