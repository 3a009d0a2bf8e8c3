/// Something a person or a machine is told. Log, journal, metrics and status all read this one stream, so
/// they cannot disagree.
public enum Occurrence: Hashable, Sendable {
    /// Why supervision stops.
    public enum StopCause: Hashable, Sendable {
        case request
        /// Every worker ended, and none is to follow.
        case done
        case worker(IncarnationID)
        case failure
    }

    /// Whose limit brought the kernel to kill, or to refuse.
    public enum OOMScope: String, Hashable, Sendable {
        case worker, ancestor
    }

    /// The end of an incarnation, told once.
    public struct End: Hashable, Sendable {
        /// Why it ended.
        public var reason: Reason
        /// Nil where the worker could not be started.
        public var exit: Exit?
        /// Why it could not be started.
        public var failure: StartFailure?
        /// From its start to its end.
        public var lifetime: Duration
        /// All was stopping already when it ended: no successor comes.
        public var isLast: Bool

        /// Takes each part as it is.
        public init(
            reason: Reason, exit: Exit?, failure: StartFailure? = nil, lifetime: Duration, isLast: Bool
        ) {
            self.reason = reason
            self.exit = exit
            self.failure = failure
            self.lifetime = lifetime
            self.isLast = isLast
        }
    }

    /// Why a group was given up.
    public enum GroupFailure: Hashable, Sendable {
        /// More failures than `--max-failures` allows.
        case tooManyFailures(count: Int, window: Duration)
        /// The worker cannot run at all.
        case cannotRun(IncarnationID)
    }

    /// How a rolling restart of a group ended.
    public enum RollEnd: Hashable, Sendable {
        /// Every worker it was about was replaced, and its replacement is ready.
        case completed
        /// A replacement ended before it was ready; the workers not yet replaced stay.
        case failed(IncarnationID, Reason)
        /// All was told to stop in the midst of it.
        case stopped
    }

    case supervisorStarted
    case supervisorReady
    /// The program was replaced in place, and goes on with the workers of this version.
    case supervisorUpgraded(from: String)
    /// A new version of the program did not take over; why, as a sentence.
    case supervisorUpgradeRefused(reason: String)
    case supervisorStopping(StopCause)
    case supervisorStopped(Outcome)
    /// The configuration is read again and what changed is put into effect.
    case supervisorReloading
    /// Nil: what changed is in effect. A sentence: nothing was changed, or a part of it failed.
    case supervisorReloaded(fault: String?)
    /// The host cannot go on; nothing follows.
    case supervisorBroken(sentence: String)
    /// A worker that an earlier supervisor left running goes on under this one.
    case workerAdopted(IncarnationID, pid: Int32)
    /// `replaces` is the process ID of the slot's incarnation before.
    case workerStarted(IncarnationID, pid: Int32, replaces: Int32?)
    case workerReady(IncarnationID, pid: Int32)
    case workerStopping(IncarnationID, pid: Int32, Reason)
    /// It is to be replaced, for this reason, and works on until its successor is ready.
    case workerYielding(IncarnationID, pid: Int32, Reason)
    /// It said that it is ending by itself (`STOPPING=1`).
    case workerLeaving(IncarnationID, pid: Int32)
    /// It was silent for longer than its watchdog allows; without a timeout it said itself that it is broken.
    case workerWatchdog(IncarnationID, pid: Int32, timeout: Duration?)
    /// What it says of itself (`STATUS=`). Told by the host; nothing is decided on it.
    case workerStatus(IncarnationID, pid: Int32, String)
    /// A look at a worker's memory that found it below its limit; for the debug log.
    case workerMemoryAlarm(IncarnationID, pid: Int32, MemoryMeasurement, wire: UInt64?)
    case workerMemoryLimit(IncarnationID, pid: Int32, MemoryMeasurement, limit: UInt64)
    /// It is above its threshold; it is recycled if it still is after this time.
    case workerMemoryExcess(IncarnationID, pid: Int32, MemoryMeasurement, limit: UInt64, sustain: Duration)
    /// It stood still for want of memory longer than it may.
    case workerMemoryPressure(IncarnationID, pid: Int32)
    case workerOOM(IncarnationID, pid: Int32, kills: UInt64, OOMScope, mainKilled: Bool)
    /// The kernel refused it a process or thread, so many times until now, at its own `pids.max` or one above. Told once of
    /// an incarnation, by the host; nothing is decided on it.
    case workerPidsLimit(IncarnationID, pid: Int32, refusals: UInt64, limit: UInt64, OOMScope)
    /// The main process ended and left others behind in its cgroup.
    case workerLeftovers(IncarnationID, pid: Int32?)
    case workerExited(IncarnationID, pid: Int32?, End)
    /// Its cgroup is gone too, and this is all it took. Told by the host where somebody keeps account; nothing is decided on
    /// it. Of one whose cgroup stays it is told just before ``supervisorStopped(_:)``.
    case workerAccounted(IncarnationID, Account)
    /// Processes that do not die, or a cgroup that cannot be removed; `attempts` were made.
    case workerStuck(IncarnationID, pid: Int32?, errno: Int32, attempts: Int)
    case workerBackoff(SlotID, delay: Duration, failures: Int)
    /// The slot gets no further worker, for its last one ended so and its group asks for none then.
    case workerNotReplaced(SlotID, after: Reason)
    /// A slot's workers finish so fast that they are started ten times a second only. Told once a slot.
    case workerPaced(SlotID)
    case groupFailed(group: Int, GroupFailure)
    /// From now on there are to be so many workers; a new group comes from 0.
    case groupScaled(group: Int, from: Int, to: Int)
    /// A rolling restart of so many slots began. A request that joins it is not told.
    case rollStarted(group: Int, slots: Int)
    case rollEnded(group: Int, RollEnd)
    /// Something the host could not do, in one sentence; supervision goes on.
    case hostTrouble(IncarnationID?, sentence: String)
    /// Something the host did or found that a person wants to know once.
    case hostNotice(sentence: String)
}
