/// Every decision of the supervisor, as a value: what happened and when goes in, what to do comes out.
///
/// It owns restart, back-off, restart intensity, readiness, recycling, draining and giving up. It has no
/// clock, no randomness but its seed, and no effect.
public struct Supervision: Hashable, Codable, Sendable {
    enum State: Hashable, Codable, Sendable {
        case idle, running
        case stopping(Outcome)
        case finished(Outcome)
    }

    private(set) var state = State.idle
    var groups: [Group]
    var random: SplitMix64
    private var wasReady = false
    private var stoppingSince: Instant?
    private var startsInFlight = 0
    private var queue = StartQueue()
    private var wireInterval = Tempo.wireTickShortest
    /// When the shared tick comes; nil where it is not set.
    private(set) var wireTick: Instant?
    private(set) var tally: Tally

    /// - Parameters:
    ///   - policies: the groups, in the order of their numbers.
    ///   - seed: of the jitter; the same seed and events give the same actions.
    ///   - adopting: incarnations that an earlier supervisor left running, one for a slot. Their start is asked for as any
    ///     other, and answered with ``Incarnation/Input/adopted(pid:since:)``.
    public init(_ policies: [GroupPolicy], seed: UInt64, adopting: [IncarnationID] = []) {
        groups = policies.enumerated().map { Group(index: $0.offset, policy: $0.element) }
        random = SplitMix64(seed: seed)
        tally = Tally()
        for id in adopting where slot(id.slot) != nil {
            groups[id.group].slots[id.slot.slot - 1].goOn(from: id.number)
        }
    }

    /// Nothing is left to do, and nothing follows.
    public var isFinished: Bool {
        if case .finished = state { true } else { false }
    }

    package var isStopping: Bool {
        switch state {
        case .stopping, .finished: true
        case .idle, .running: false
        }
    }

    /// The phase an incarnation is in; `gone` where nothing is left of it or it never was.
    public func phase(of id: IncarnationID) -> Incarnation.Phase {
        guard let slot = slot(id.slot) else { return .gone }
        return slot[id.number]?.phase ?? .gone
    }

    /// The process ID of an incarnation that has one.
    public func pid(of id: IncarnationID) -> Int32? {
        slot(id.slot)?[id.number]?.pid
    }

    /// What a slot without a worker waits for; nil where it has one, or is to have none.
    package func waiting(in id: SlotID) -> Slot.Waiting? {
        slot(id)?.waiting
    }

    // MARK: Events

    /// Takes in one event.
    ///
    /// - Returns: what is to be done, in this order. Events that come too late for their incarnation, or that
    ///   cannot come in its phase, change nothing.
    public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        var context = Context(now: now, policy: .none, isStopping: isStopping)
        context.stoppingSince = stoppingSince
        switch event {
        case .begin: begin(&context)
        case .incarnation(let id, let input):
            change(id.slot, &context) { $0.handle(input, of: id.number, &$1) }
        case .groupMeasured(let group, let measurement): decideSurges(group, measurement, &context)
        case .timer(.incarnation(let id)):
            guard let due = slot(id.slot)?[id.number]?.deadline, now >= due else { break }
            change(id.slot, &context) { $0.handle(.deadline, of: id.number, &$1) }
        case .timer(.span(let id, let span)):
            guard let due = slot(id.slot)?[id.number]?.spans[span], now >= due else { break }
            change(id.slot, &context) { $0.handle(.over(span), of: id.number, &$1) }
        case .timer(.slot(let id)): endWait(id, &context)
        case .timer(.wires): look(&context)
        case .timer(.roll(let group)): endSettling(group, &context)
        case .restart(let restart, let most): self.restart(restart, most, &context)
        case .configure(let group, let policy, let rolls): configure(group, policy, rolls: rolls, &context)
        case .stop: stop(.request, outcome: .stopped, &context)
        case .kill: kill(&context)
        }
        settle(&context)
        return context.actions
    }

    private mutating func begin(_ context: inout Context) {
        guard state == .idle else { return }
        state = .running
        context.report(.supervisorStarted)
        for group in groups.indices {
            for slot in groups[group].slots.indices {
                requestStart(SlotID(group: group, slot: slot + 1), &context)
            }
        }
    }

    // MARK: Slots

    func slot(_ id: SlotID) -> Slot? {
        guard groups.indices.contains(id.group), id.slot >= 1, id.slot <= groups[id.group].slots.count else {
            return nil
        }
        return groups[id.group].slots[id.slot - 1]
    }

    mutating func change(
        _ id: SlotID, _ context: inout Context, _ body: (inout Slot, inout Context) -> Slot.Consequences
    ) {
        guard groups.indices.contains(id.group), id.slot >= 1, id.slot <= groups[id.group].slots.count else {
            return
        }
        context.policy = groups[id.group].policy
        let consequences = tallied(id) { body(&$0, &context) }
        follow(consequences, id, &context)
    }

    /// The one way to an incarnation's state: what all slots together are is counted, never searched for.
    mutating func tallied<Result>(_ id: SlotID, _ body: (inout Slot) -> Result) -> Result {
        let before = groups[id.group].slots[id.slot - 1].standing
        let result = body(&groups[id.group].slots[id.slot - 1])
        let after = groups[id.group].slots[id.slot - 1].standing
        tally.move(from: before, to: after)
        groups[id.group].established += (after.isEstablished ? 1 : 0) - (before.isEstablished ? 1 : 0)
        groups[id.group].ready += (after.isReady ? 1 : 0) - (before.isReady ? 1 : 0)
        return result
    }

    mutating func follow(_ consequences: Slot.Consequences, _ id: SlotID, _ context: inout Context) {
        if consequences.answered { startsInFlight -= 1 }
        if consequences.isReady { groups[id.group].wasReady = true }
        if let (incarnation, reason) = consequences.ended, !isStopping {
            judge(incarnation, reason, &context)
        }
        if let (incarnation, reason) = consequences.toReplace, !isStopping, isWanted(id) {
            noteInRoll(incarnation, reason, &context)
            if reason.weight == .failure { count(group: id.group, &context) }
            if !isStopping { succeed(incarnation, after: reason, &context) }
        }
        if let id = consequences.expired { renew(id, .lifetime, &context) }
        if consequences.mayStart, !isStopping, isWanted(id) { requestStart(id, &context) }
    }

    private mutating func succeed(_ incarnation: Incarnation, after reason: Reason, _ context: inout Context)
    {
        let id = incarnation.id.slot
        guard groups[id.group].policy.restart.replaces(after: reason) else {
            tallied(id) { $0.rest(after: reason) }
            context.report(.workerNotReplaced(id, after: reason))
            groups[id.group].roll?.drop(id.slot)
            return
        }
        if groups[id.group].slots[id.slot - 1].plan(after: reason, of: incarnation, &context, random: &random)
        {
            requestStart(id, &context)
        }
    }

    /// An end that is more than one incarnation's own affair.
    private mutating func judge(_ incarnation: Incarnation, _ reason: Reason, _ context: inout Context) {
        if reason == .stopRequested {
            stop(.worker(incarnation.id), outcome: .stopped, &context)
        } else if incarnation.cannotRun, !groups[incarnation.id.group].wasReady {
            giveUp(incarnation.id.group, .cannotRun(incarnation.id), &context)
        }
    }

    private mutating func count(group: Int, _ context: inout Context) {
        let intensity = groups[group].policy.intensity
        guard let intensity, let count = groups[group].failures.record(at: context.now, limit: intensity)
        else {
            return
        }
        giveUp(group, .tooManyFailures(count: count, window: intensity.window), &context)
    }

    private mutating func giveUp(
        _ group: Int, _ failure: Occurrence.GroupFailure, _ context: inout Context
    ) {
        context.report(.groupFailed(group: group, failure))
        stop(.failure, outcome: .failed, &context)
    }

    private mutating func endWait(_ id: SlotID, _ context: inout Context) {
        guard !isStopping, slot(id) != nil else { return }
        if groups[id.group].slots[id.slot - 1].endWait(at: context.now) { requestStart(id, &context) }
    }

    // MARK: Starts

    /// The slot is to hold a worker: its group was not scaled down past it.
    private func isWanted(_ id: SlotID) -> Bool { id.slot <= groups[id.group].desired }

    mutating func requestStart(_ id: SlotID, _ context: inout Context) {
        guard slot(id)?.isVacant == true else { return }
        if startsInFlight < Tempo.startsInFlight {
            start(id, &context)
        } else {
            groups[id.group].slots[id.slot - 1].waiting = .turn
            queue.append(id)
        }
    }

    private mutating func start(_ id: SlotID, _ context: inout Context) {
        startsInFlight += 1
        context.policy = groups[id.group].policy
        var random = random
        tallied(id) { $0.start(&context, random: &random) }
        self.random = random
    }

    private mutating func startWaiting(_ context: inout Context) {
        while startsInFlight < Tempo.startsInFlight, let id = queue.next() {
            guard groups[id.group].slots[id.slot - 1].waiting == .turn else { continue }
            start(id, &context)
        }
    }

    // MARK: Wires

    private mutating func look(_ context: inout Context) {
        guard let due = wireTick, context.now >= due else { return }
        wireTick = nil
        wireInterval = min(wireInterval * 2, Tempo.wireTickLongest)
        for group in groups.indices {
            for slot in groups[group].slots.indices where groups[group].slots[slot].needsLook {
                for worker in groups[group].slots[slot].working where worker.needsLook {
                    change(worker.id.slot, &context) { $0.handle(.look, of: worker.id.number, &$1) }
                }
            }
        }
    }

    /// One tick for all: short after a change, doubling while nothing changes, none where no wire is slid.
    private mutating func setWireTick(_ context: inout Context) {
        guard tally.needingLook > 0 else { return cancelWireTick(&context) }
        if context.wiresMoved, wireInterval != Tempo.wireTickShortest {
            wireInterval = Tempo.wireTickShortest
            wireTick = nil
        }
        guard wireTick == nil else { return }
        let instant = context.now + wireInterval
        wireTick = instant
        context.act(.setTimer(.wires, instant))
    }

    private mutating func cancelWireTick(_ context: inout Context) {
        guard wireTick != nil else { return }
        wireTick = nil
        context.act(.cancelTimer(.wires))
    }

    // MARK: Stopping

    private mutating func stop(
        _ cause: Occurrence.StopCause, outcome: Outcome, _ context: inout Context
    ) {
        guard !isStopping else { return }
        state = .stopping(outcome)
        context.isStopping = true
        stoppingSince = context.now
        context.stoppingSince = context.now
        context.report(.supervisorStopping(cause))
        cancelWireTick(&context)
        queue = StartQueue()
        for group in groups.indices where groups[group].roll != nil { endRoll(group, .stopped, &context) }
        demandOfAll(.stop(.shutdown), &context)
    }

    private mutating func kill(_ context: inout Context) {
        stop(.request, outcome: .stopped, &context)
        demandOfAll(.kill(.shutdown), &context)
    }

    private mutating func demandOfAll(_ demand: Incarnation.Demand, _ context: inout Context) {
        for group in groups.indices {
            context.policy = groups[group].policy
            for slot in groups[group].slots.indices {
                let id = SlotID(group: group, slot: slot + 1)
                let all = tallied(id) {
                    $0.cancelWait(&context)
                    return $0.demandOfAll(demand, &context)
                }
                for consequences in all { follow(consequences, id, &context) }
            }
        }
    }

    /// No slot has a worker, or is to have one again.
    private mutating func endIfDone(_ context: inout Context) {
        guard tally.resting > 0, tally.occupied == 0, tally.resting == desired else { return }
        stop(.done, outcome: tally.restingAfterFailure > 0 ? .failed : .stopped, &context)
    }

    /// What follows from every event alike.
    private mutating func settle(_ context: inout Context) {
        if state == .running {
            rollOn(&context)
            startWaiting(&context)
            setWireTick(&context)
            if !wasReady, groups.allSatisfy(\.isEstablished) {
                wasReady = true
                context.report(.supervisorReady)
            }
            endIfDone(&context)
        }
        if case .stopping(let outcome) = state, tally.occupied == 0 {
            state = .finished(outcome)
            context.report(.supervisorStopped(outcome))
            context.act(.finish(outcome))
        }
    }
}

/// How many slots stand how, kept up with every change.
struct Tally: Hashable, Codable, Sendable {
    private(set) var occupied = 0
    private(set) var ready = 0
    private(set) var needingLook = 0
    private(set) var resting = 0
    private(set) var restingAfterFailure = 0

    mutating func move(from before: Slot.Standing, to after: Slot.Standing) {
        occupied += (after.isEmpty ? 0 : 1) - (before.isEmpty ? 0 : 1)
        ready += (after.isReady ? 1 : 0) - (before.isReady ? 1 : 0)
        needingLook += (after.needsLook ? 1 : 0) - (before.needsLook ? 1 : 0)
        resting += (after.rest == nil ? 0 : 1) - (before.rest == nil ? 0 : 1)
        restingAfterFailure +=
            (after.rest?.weight == .failure ? 1 : 0) - (before.rest?.weight == .failure ? 1 : 0)
    }
}

/// Slots that wait for their turn to start, first come, first served.
struct StartQueue: Hashable, Codable, Sendable {
    private var slots: [SlotID] = []
    private var head = 0

    mutating func append(_ id: SlotID) {
        slots.append(id)
    }

    mutating func next() -> SlotID? {
        guard head < slots.count else {
            slots.removeAll(keepingCapacity: true)
            head = 0
            return nil
        }
        defer { dropTaken() }
        return slots[head]
    }

    /// While there is always someone waiting, who went must not pile up.
    private mutating func dropTaken() {
        head += 1
        guard head >= 256, head >= slots.count / 2 else { return }
        slots.removeFirst(head)
        head = 0
    }
}

extension GroupPolicy {
    /// Stands in a context until an event names its group.
    static let none = GroupPolicy(name: "", workers: 0)
}
