/// One life of a worker, as a state machine: phase × input gives the next phase, actions and consequences.
///
/// The table of every pair stands in the documentation page "The life of an incarnation"; a test holds it
/// against this code.
public struct Incarnation: Hashable, Codable, Sendable {
    /// Where an incarnation stands in its life.
    public enum Phase: String, Hashable, Codable, Sendable, CaseIterable {
        /// The host was asked to start it and has not answered.
        case starting
        /// As starting, but it is to stop as soon as the host answers.
        case aborting
        /// Runs, not ready yet.
        case up
        case ready
        /// Said that it is ending by itself; its grace runs.
        case leaving
        /// Got the stop signal; its grace runs.
        case draining
        /// `cgroup.kill` was written, the main process is not reaped yet.
        case killing
        /// The main process ended, what it left behind got the stop signal; its grace runs.
        case lingering
        /// The main process ended, `cgroup.kill` was written for the rest.
        case purging
        /// The host was asked to remove the cgroup and has not answered, or is to try again.
        case removing
        /// Nothing is left of it.
        case gone
    }

    /// What can happen to an incarnation.
    public enum Input: Hashable, Sendable {
        case started(pid: Int32)
        /// It runs already, and has since then: an earlier supervisor started it.
        case adopted(pid: Int32, since: Instant)
        case startFailed(StartFailure)
        case ready
        /// `WATCHDOG=1`
        case alive
        /// `WATCHDOG_USEC=`: from now on; zero is none.
        case watchdogInterval(Duration)
        /// `WATCHDOG=trigger`
        case broken
        /// `EXTEND_TIMEOUT_USEC=`: so long from now, where it starts or stops.
        case extended(Duration)
        /// `STOPPING=1`
        case leaving
        /// `memory.events` was read again.
        case counters(MemoryCounters)
        /// The answer to a measurement.
        case measured(MemoryMeasurement)
        /// It stood still for want of memory longer than it may.
        case pressed
        case exited(Exit)
        /// Its cgroup holds no process.
        case emptied
        case removed
        case removalFailed(errno: Int32)
    }

    /// What supervision itself wants of an incarnation.
    package enum Demand: Hashable, Sendable {
        case stop(Reason)
        case kill(Reason)
        /// The deadline it set has come.
        case deadline
        /// A time that ran beside the deadline is over.
        case over(Span)
        /// Work on until the successor is ready, then stop.
        case yield(Reason)
        /// Other limits than it was started with.
        case limit
        /// Another longest life than it was started with.
        case live(Lifespan?)
        /// The shared tick over slid wires.
        case look
    }

    /// What the slot must know.
    package enum Consequence: Hashable, Sendable {
        case running
        case ready
        /// It got the stop signal, its successor need not wait.
        case leaving(Reason)
        /// Its life is over; whether it stops first, or its successor starts first, is its group's to say.
        case expired
        /// It works on until its successor is ready.
        case yielding(Reason)
        case ended(Reason)
        case gone
    }

    /// Which incarnation of which slot.
    public let id: IncarnationID
    /// Where it stands.
    public internal(set) var phase = Phase.starting
    /// Its main process, once that was started.
    public private(set) var pid: Int32?
    /// When its program was first seen to run.
    public private(set) var startedAt: Instant?
    /// When it became ready.
    public private(set) var readyAt: Instant?
    /// The first cause that was acted on; it stays the reason, whatever ends the process.
    public internal(set) var cause: Reason?
    /// When its phase is over, if that has an end.
    public internal(set) var deadline: Instant?
    /// What is timed beside that while it works.
    var spans: [Span: Instant] = [:]
    /// What it was started for; its group's policy may have changed since.
    let readiness: GroupPolicy.Readiness
    private let conduct: GroupPolicy.Conduct
    var lifespan: Lifespan?
    /// Where the slot's incarnation before ran, for "was respawned as".
    let predecessor: Int32?
    /// How long it may be silent once it is ready.
    var watchdog: Duration?
    /// When it was last heard. Looked at when the deadline comes, so that a ping sets no timer.
    var lastAlive: Instant?
    var wire: Tripwire?
    /// A measurement was asked for because the kernel raised an alarm.
    var alarmed = false
    var counters = MemoryCounters()
    /// False once it was killed, what it left behind was signalled, or a second request took the grace away.
    private var hasGrace = true
    private var attempts = 0
    /// Why it stops as soon as its successor is ready.
    private(set) var yields: Reason?
    /// It has been above its threshold for as long as it may.
    var excessIsOver = false
    /// OOM kills that its main process outlived, and that were told.
    var oomKillsTold: UInt64 = 0
    /// Its limits are those of its group once it is measured.
    var awaitsLimits = false
    let oomPolicy: GroupPolicy.OOMPolicy
    /// The last exit's report of a worker that cannot run; the group asks.
    package private(set) var cannotRun = false
    private(set) var lifetime = Duration.zero

    package init(id: IncarnationID, policy: GroupPolicy, predecessor: Int32?, random: inout SplitMix64) {
        self.id = id
        self.predecessor = predecessor
        lifespan = policy.maximumLifetime.map { Lifespan(maximum: $0, random: &random) }
        readiness = policy.readiness
        conduct = policy.conduct
        oomPolicy = policy.oomPolicy
        watchdog = policy.watchdog.flatMap { $0 > .zero ? $0 : nil }
        wire = policy.memoryThreshold.map { Tripwire(threshold: $0, hardLimit: policy.memoryMax) }
    }

    /// True until its main process ended or never came to be.
    public var mayRun: Bool {
        switch phase {
        case .starting, .aborting, .up, .ready, .leaving, .draining, .killing: true
        case .lingering, .purging, .removing, .gone: false
        }
    }

    /// It is replaced as soon as its successor is ready, and works on until then.
    var isYielding: Bool { yields != nil && phase == .ready }

    /// Its wire is away from the threshold and must be looked at on the tick.
    var needsLook: Bool {
        guard phase == .up || phase == .ready, let wire else { return false }
        return wire.isSlid || !wire.isObserved
    }

    // MARK: Inputs

    package mutating func handle(_ input: Input, _ context: inout Context) -> Consequence? {
        switch (phase, input) {
        case (.starting, .started(let pid)):
            return start(pid, &context)
        case (.aborting, .started(let pid)):
            return comeTooLate(
                pid, context.now, .workerStarted(id, pid: pid, replaces: predecessor), &context)
        case (.starting, .adopted(let pid, let since)):
            return adopt(pid, since, &context)
        case (.aborting, .adopted(let pid, let since)):
            return comeTooLate(pid, since, .workerAdopted(id, pid: pid), &context)
        case (.starting, .startFailed(let failure)), (.aborting, .startFailed(let failure)):
            return end(cause ?? .startFailed, exit: nil, failure: failure, &context)

        case (.up, .ready):
            becomeReady(&context)
            return .ready

        case (.ready, .alive):
            lastAlive = context.now
            return nil
        case (.up, .watchdogInterval(let interval)), (.ready, .watchdogInterval(let interval)):
            setWatchdog(interval, &context)
            return nil
        case (.up, .broken), (.ready, .broken):
            return missWatchdog(timeout: nil, &context)
        case (.up, .extended(let time)), (.leaving, .extended(let time)), (.draining, .extended(let time)):
            extend(by: time, &context)
            return nil
        case (.up, .leaving), (.ready, .leaving):
            leave(&context)
            return nil

        case (.up, .counters(let now)), (.ready, .counters(let now)):
            compare(now, &context)
            return nil
        case (.up, .measured(let measurement)), (.ready, .measured(let measurement)):
            return awaitsLimits ? limit(measurement, &context) : judge(measurement, &context)
        case (.up, .pressed), (.ready, .pressed):
            if let pid { context.report(.workerMemoryPressure(id, pid: pid)) }
            return drain(.memoryPressure, &context)

        case (.up, .exited(let exit)), (.ready, .exited(let exit)), (.leaving, .exited(let exit)),
            (.draining, .exited(let exit)),
            (.killing, .exited(let exit)):
            return end(reason(of: exit), exit: exit, failure: nil, &context)

        case (.lingering, .emptied), (.purging, .emptied):
            remove(&context)
            return nil

        case (.removing, .removed):
            return disappear(&context)
        case (.removing, .removalFailed(let errno)):
            return retryRemoval(errno, &context)

        // An answer that comes too late, or one that cannot come in this phase: nothing is to be done.
        case (.starting, _), (.aborting, _), (.up, _), (.ready, _), (.leaving, _), (.draining, _),
            (.killing, _), (.lingering, _), (.purging, _), (.removing, _), (.gone, _):
            return nil
        }
    }

    // MARK: Demands

    package mutating func handle(_ demand: Demand, _ context: inout Context) -> Consequence? {
        switch (phase, demand) {
        case (.starting, .stop(let reason)):
            return abort(reason, &context)
        case (.starting, .kill(let reason)):
            let consequence = abort(reason, &context)
            return killAgain(&context) ?? consequence
        case (.aborting, .kill):
            return hasGrace ? killAgain(&context) : nil
        case (.aborting, .deadline):
            return killAgain(&context)

        case (.up, .stop(let reason)), (.ready, .stop(let reason)):
            return drain(reason, &context)
        case (.up, .deadline):
            return drain(.startTimeout, &context)
        case (.ready, .deadline):
            return lookAtWatchdog(&context)
        case (.leaving, .stop(let reason)):
            return stopLeaving(reason, &context)
        case (.leaving, .deadline):
            // It said that it ends, and did not.
            cause = .failed
            kill(.killing, &context)
            return .leaving(.failed)
        case (.draining, .stop):
            boundExtension(&context)
            return nil
        case (.up, .look), (.ready, .look):
            context.act(.measureMemory(id))
            return nil
        case (.up, .over(let span)), (.ready, .over(let span)):
            spans[span] = nil
            return end(of: span, &context)
        case (.ready, .yield(let reason)):
            return yield(reason, &context)
        case (.up, .yield(let reason)):
            return drain(reason, &context)
        case (.starting, .limit):
            awaitsLimits = true
            return nil
        case (.starting, .live(let span)):
            lifespan = span
            return nil
        case (.up, .live(let span)), (.ready, .live(let span)):
            lifespan = span
            clearSpan(.lifetime, &context)
            limitLifetime(&context)
            return nil
        case (.up, .limit), (.ready, .limit):
            awaitsLimits = true
            context.act(.measureMemory(id))
            return nil

        case (.up, .kill(let reason)), (.ready, .kill(let reason)), (.leaving, .kill(let reason)):
            cause = reason
            withdrawLimits(&context)
            kill(.killing, &context)
            return .leaving(reason)
        case (.draining, .kill), (.draining, .deadline):
            kill(.killing, &context)
            return nil
        case (.killing, .deadline):
            return killAgain(&context)

        case (.lingering, .kill), (.lingering, .deadline):
            context.act(.watchForEmptiness(id))
            kill(.purging, &context)
            return nil
        case (.purging, .deadline):
            return killAgain(&context)

        case (.removing, .kill):
            hasGrace = false
            return nil
        case (.removing, .deadline):
            clearDeadline(&context)
            context.act(.remove(id))
            return nil

        // Stopped or killed already, or nothing to stop, to await or to look at.
        case (.starting, _), (.aborting, _), (.up, _), (.ready, _), (.leaving, _), (.draining, _),
            (.killing, _), (.lingering, _), (.purging, _), (.removing, _), (.gone, _):
            return nil
        }
    }

    // MARK: Steps

    private mutating func start(_ pid: Int32, _ context: inout Context) -> Consequence {
        self.pid = pid
        startedAt = context.now
        context.report(.workerStarted(id, pid: pid, replaces: predecessor))
        phase = .up
        defer {
            limitLifetime(&context)
            if awaitsLimits { context.act(.measureMemory(id)) }
        }
        switch readiness {
        case .whenStarted:
            becomeReady(&context)
            return .ready
        case .whenReported:
            if let timeout = context.policy.startTimeout {
                setDeadline(context.now + timeout, &context)
            }
            return .running
        }
    }

    /// An earlier supervisor left it running. It is taken to be ready: what it said of that is not known.
    private mutating func adopt(_ pid: Int32, _ since: Instant, _ context: inout Context) -> Consequence {
        self.pid = pid
        startedAt = since
        context.report(.workerAdopted(id, pid: pid))
        becomeReady(&context)
        // It may have come near its limit meanwhile.
        if wire != nil || awaitsLimits { context.act(.measureMemory(id)) }
        limitLifetime(&context)
        return .ready
    }

    /// The answer to a start that is not wanted any more.
    private mutating func comeTooLate(
        _ pid: Int32, _ since: Instant, _ occurrence: Occurrence, _ context: inout Context
    ) -> Consequence? {
        self.pid = pid
        startedAt = since
        context.report(occurrence)
        withdrawLimits(&context)
        if hasGrace {
            sendStop(&context, extra: .zero)
        } else {
            kill(.killing, &context)
        }
        return nil
    }

    private mutating func becomeReady(_ context: inout Context) {
        phase = .ready
        readyAt = context.now
        clearDeadline(&context)
        if let pid { context.report(.workerReady(id, pid: pid)) }
        guard let watchdog else { return }
        lastAlive = context.now
        setDeadline(context.now + watchdog, &context)
    }

    private mutating func abort(_ reason: Reason, _ context: inout Context) -> Consequence {
        cause = reason
        phase = .aborting
        setDeadline(context.now + context.policy.stopTimeout, &context)
        return .leaving(reason)
    }

    mutating func drain(_ reason: Reason, _ context: inout Context) -> Consequence {
        cause = reason
        withdrawLimits(&context)
        sendStop(&context, extra: .zero)
        return .leaving(reason)
    }

    private mutating func yield(_ reason: Reason, _ context: inout Context) -> Consequence? {
        guard yields == nil else { return nil }
        yields = reason
        clearSpan(.lifetime, &context)
        if let pid { context.report(.workerYielding(id, pid: pid, reason)) }
        return .yielding(reason)
    }

    mutating func sendStop(_ context: inout Context, extra: Duration) {
        phase = .draining
        context.act(.signal(id))
        if let pid, let cause { context.report(.workerStopping(id, pid: pid, cause)) }
        setDeadline(context.now + context.policy.stopTimeout + extra, &context)
    }

    mutating func kill(_ next: Phase, _ context: inout Context) {
        phase = next
        hasGrace = false
        attempts = 1
        context.act(.kill(id))
        setDeadline(context.now + Tempo.killRetry, &context)
    }

    private mutating func killAgain(_ context: inout Context) -> Consequence? {
        hasGrace = false
        attempts += 1
        context.act(.kill(id))
        return stuck(errno: 0, retryAfter: Tempo.killRetry, &context)
    }

    /// Waits for another try, tells once that it has become many, and gives up where all is to stop.
    private mutating func stuck(
        errno: Int32, retryAfter: Duration, _ context: inout Context
    ) -> Consequence? {
        if attempts >= Tempo.stuckAttempts {
            if attempts == Tempo.stuckAttempts || context.isStopping {
                context.report(.workerStuck(id, pid: pid, errno: errno, attempts: attempts))
            }
            if context.isStopping { return abandon(&context) }
        }
        setDeadline(context.now + retryAfter, &context)
        return nil
    }

    /// What cannot be killed or removed must not keep the supervisor from ending.
    private mutating func abandon(_ context: inout Context) -> Consequence {
        if mayRun {
            reportEnd(cause ?? .shutdown, exit: nil, failure: nil, &context)
        }
        return disappear(&context)
    }

    private mutating func disappear(_ context: inout Context) -> Consequence {
        clearDeadline(&context)
        phase = .gone
        return .gone
    }

    private mutating func end(
        _ reason: Reason, exit: Exit?, failure: StartFailure?, _ context: inout Context
    ) -> Consequence {
        if let startedAt { lifetime = context.now - startedAt }
        cannotRun = failure?.isPermanent ?? exit?.report?.cannotLoad ?? false
        reportEnd(reason, exit: exit, failure: failure, &context)
        clearDeadline(&context)
        clearSpans(&context)
        wire = nil
        yields = nil
        attempts = 0
        phase = .removing
        context.actAfterwards(.remove(id))
        return .ended(reason)
    }

    private func reportEnd(_ reason: Reason, exit: Exit?, failure: StartFailure?, _ context: inout Context) {
        if let pid, let memory = exit?.memory, memory.oomKill > oomKillsTold {
            let killed = exit?.status == .signal(9, coreDumped: false)
            context.report(
                .workerOOM(
                    id, pid: pid, kills: memory.oomKill, memory.oom == 0 ? .ancestor : .worker,
                    mainKilled: killed))
        }
        let lifetime = startedAt.map { context.now - $0 } ?? .zero
        context.report(
            .workerExited(
                id, pid: pid,
                Occurrence.End(
                    reason: reason, exit: exit, failure: failure, lifetime: lifetime,
                    isLast: context.isStopping)))
    }

    private mutating func remove(_ context: inout Context) {
        clearDeadline(&context)
        phase = .removing
        context.act(.remove(id))
    }

    private mutating func retryRemoval(_ errno: Int32, _ context: inout Context) -> Consequence? {
        attempts += 1
        if context.isStopping, RemovalFailure.refused.contains(errno) {
            context.report(.workerStuck(id, pid: pid, errno: errno, attempts: attempts))
            return disappear(&context)
        }
        guard errno == RemovalFailure.busy, attempts < Tempo.stuckAttempts else {
            return stuck(errno: errno, retryAfter: Tempo.killRetry, &context)
        }
        if !hasGrace {
            context.act(.watchForEmptiness(id))
            context.act(.kill(id))
            phase = .purging
            setDeadline(context.now + Tempo.killRetry, &context)
        } else {
            hasGrace = false
            context.report(.workerLeftovers(id, pid: pid))
            context.act(.signalLeftovers(id))
            context.act(.watchForEmptiness(id))
            phase = .lingering
            setDeadline(context.now + context.policy.stopTimeout, &context)
        }
        return nil
    }

    // MARK: Reasons

    private func reason(of exit: Exit) -> Reason {
        if let cause { return cause }
        let isSuccess: Bool
        var answer = Reason.finished
        switch (conduct, exit.report?.returnCode, exit.status) {
        case (.sergeant, 0?, _): isSuccess = true
        case (.sergeant, 4?, _): (isSuccess, answer) = (true, .respawnRequested)
        case (.sergeant, 5?, _): (isSuccess, answer) = (true, .stopRequested)
        case (.sergeant, _?, _): (isSuccess, answer) = (false, .failed)
        case (_, _, .code(0)): isSuccess = true
        case (_, _, .code): (isSuccess, answer) = (false, .failed)
        case (_, _, .signal): (isSuccess, answer) = (false, .crashed)
        case (_, _, .unknown): (isSuccess, answer) = (false, .failed)
        }
        if !isSuccess, let memory = exit.memory, memory.oomKill > oomKillsTold { return .oomKilled }
        return answer
    }
}
