/// One slot: the incarnation that is to work in it, those before it that are still on their way out, and
/// when the next may come.
package struct Slot: Hashable, Codable, Sendable {
    package enum Waiting: Hashable, Codable, Sendable {
        /// A back-off or the pace; the timer of the slot ends it.
        case until(Instant)
        /// For a place among the starts in flight.
        case turn
        /// For one of too many draining predecessors to end.
        case predecessor
        /// For nothing: its work is done, or is not to be tried again. Only an operator, or another policy, starts it.
        case rest(after: Reason)
    }

    let id: SlotID
    /// At most one that is not draining.
    private(set) var current: Incarnation?
    private(set) var departing: [Incarnation] = []
    var waiting: Waiting?
    private var incarnations = 0
    private var backOff = BackOff()
    private var lastStart: Instant?
    /// The newest incarnation that is known to have run, and where.
    private var lastRan = 0
    private var lastPID: Int32?
    private var toldOfPace = false
    /// A worker of it was ready, and none failed since.
    private var isEstablished = false

    init(id: SlotID) {
        self.id = id
    }

    /// Its first incarnation is one of an earlier supervisor's, with this number.
    mutating func goOn(from number: Int) {
        incarnations = max(0, number - 1)
    }

    /// What the slot adds to the counts over all slots.
    struct Standing: Hashable, Sendable {
        var isEmpty: Bool
        var isReady: Bool
        var isEstablished: Bool
        var needsLook: Bool
        /// Why it has no worker and gets none.
        var rest: Reason?
    }

    var standing: Standing {
        Standing(
            isEmpty: current == nil && departing.isEmpty, isReady: isReady,
            isEstablished: isEstablished, needsLook: needsLook, rest: rest)
    }

    /// Why it has no worker and gets none, where that is so.
    var rest: Reason? {
        if case .rest(let reason) = waiting { reason } else { nil }
    }

    private var isReady: Bool { current?.phase == .ready || departing.contains(where: \.isYielding) }

    /// The one that is to work in it, and one that works on until that one is ready.
    var working: [Incarnation] {
        if departing.isEmpty { return current.map { [$0] } ?? [] }
        return departing.filter(\.isYielding) + (current.map { [$0] } ?? [])
    }

    var needsLook: Bool {
        current?.needsLook ?? false || departing.contains { $0.isYielding && $0.needsLook }
    }

    /// The failures in a row that the slot's back-off remembers.
    var failures: Int { backOff.failures }

    subscript(number: Int) -> Incarnation? {
        if let current, current.id.number == number { return current }
        return departing.first { $0.id.number == number }
    }

    // MARK: Starting

    /// The slot has no worker and none on its way: it may be given one.
    var isVacant: Bool { current == nil && waiting == nil }

    mutating func start(_ context: inout Context, random: inout SplitMix64) {
        incarnations += 1
        waiting = nil
        lastStart = context.now
        let incarnation = Incarnation(
            id: IncarnationID(slot: id, number: incarnations), policy: context.policy, predecessor: lastPID,
            random: &random)
        current = incarnation
        context.act(.start(incarnation.id))
    }

    /// Decides when the successor of an incarnation that ended, or leaves, may start.
    ///
    /// - Returns: true where it may start now.
    mutating func plan(
        after reason: Reason, of incarnation: Incarnation, _ context: inout Context,
        random: inout SplitMix64
    ) -> Bool {
        let readyFor = incarnation.readyAt.map { context.now - $0 } ?? .zero
        let healthy = readyFor >= Tempo.healthyRun
        let delay = backOff.wait(
            after: reason.weight, healthy: healthy, policy: context.policy, random: &random)
        var earliest = context.now + delay
        if delay > .zero {
            context.report(.workerBackoff(id, delay: delay, failures: backOff.failures))
        }
        if let lastStart, context.now - lastStart < Tempo.quickFinish, earliest < lastStart + Tempo.pace {
            earliest = lastStart + Tempo.pace
            if !toldOfPace {
                toldOfPace = true
                context.report(.workerPaced(id))
            }
        }
        guard earliest > context.now else { return mayReplace() }
        wait(until: earliest, &context)
        return false
    }

    /// It gets no further worker.
    mutating func rest(after reason: Reason) {
        waiting = .rest(after: reason)
    }

    private mutating func wait(until instant: Instant, _ context: inout Context) {
        waiting = .until(instant)
        context.act(.setTimer(.slot(id), instant))
    }

    /// A worker is wanted now: a back-off ends early, the pace is kept.
    ///
    /// - Returns: true where it may start now.
    mutating func hurry(_ context: inout Context) -> Bool {
        cancelWait(&context)
        if let lastStart, context.now < lastStart + Tempo.pace {
            wait(until: lastStart + Tempo.pace, &context)
            return false
        }
        return mayReplace()
    }

    /// It was without a worker by intent and is to have one again.
    mutating func revive() {
        backOff = BackOff()
    }

    /// It is to have no worker any more.
    mutating func retire(_ context: inout Context) {
        cancelWait(&context)
        isEstablished = false
    }

    /// The slot's timer has come.
    mutating func endWait(at now: Instant) -> Bool {
        guard case .until(let instant) = waiting, now >= instant else { return false }
        waiting = nil
        return mayReplace()
    }

    /// A worker that breaches its limit as soon as it runs must not pile up incarnations that drain.
    private mutating func mayReplace() -> Bool {
        guard departing.count(where: \.mayRun) < Tempo.drainingPerSlot else {
            waiting = .predecessor
            return false
        }
        return true
    }

    /// A predecessor went: the slot that waited for it may go on.
    private mutating func endPredecessorWait() -> Bool {
        guard waiting == .predecessor else { return false }
        waiting = nil
        return mayReplace()
    }

    mutating func cancelWait(_ context: inout Context) {
        if case .until = waiting { context.act(.cancelTimer(.slot(id))) }
        waiting = nil
    }

    // MARK: Incarnations

    /// What the group must know of an input or a demand.
    struct Consequences {
        var answered = false
        var isReady = false
        /// The incarnation whose successor is to be planned, and why.
        var toReplace: (incarnation: Incarnation, reason: Reason)?
        /// The end of an incarnation, whether or not it was replaced before.
        var ended: (incarnation: Incarnation, reason: Reason)?
        /// A successor that waited for this may start now.
        var mayStart = false
        /// The incarnation whose life is over.
        var expired: IncarnationID?
    }

    mutating func handle(_ input: Incarnation.Input, of number: Int, _ context: inout Context) -> Consequences
    {
        change(number, &context) { $0.handle(input, &$1) }
    }

    mutating func handle(
        _ demand: Incarnation.Demand, of number: Int, _ context: inout Context
    ) -> Consequences {
        change(number, &context) { $0.handle(demand, &$1) }
    }

    mutating func demandOfAll(_ demand: Incarnation.Demand, _ context: inout Context) -> [Consequences] {
        let numbers = departing.map(\.id.number) + (current.map { [$0.id.number] } ?? [])
        return numbers.map { handle(demand, of: $0, &context) }
    }

    private mutating func remember(_ incarnation: Incarnation) {
        guard let pid = incarnation.pid, incarnation.id.number >= lastRan else { return }
        (lastRan, lastPID) = (incarnation.id.number, pid)
    }

    private mutating func change(
        _ number: Int, _ context: inout Context,
        _ body: (inout Incarnation, inout Context) -> Incarnation.Consequence?
    ) -> Consequences {
        var result = Consequences()
        if current?.id.number == number, var incarnation = current {
            current = nil
            let phase = incarnation.phase
            let consequence = body(&incarnation, &context)
            result.answered = phase.awaitsStart && !incarnation.phase.awaitsStart
            remember(incarnation)
            switch consequence {
            case .expired:
                result.expired = incarnation.id
                current = incarnation
            case .yielding(let reason):
                departing.append(incarnation)
                result.toReplace = (incarnation, reason)
            case .leaving(let reason):
                if reason.weight == .failure { isEstablished = false }
                departing.append(incarnation)
                result.toReplace = (incarnation, reason)
            case .ended(let reason):
                if reason.weight == .failure { isEstablished = false }
                departing.append(incarnation)
                result.toReplace = (incarnation, reason)
                result.ended = (incarnation, reason)
            case .gone:
                break
            case .ready:
                result.isReady = true
                isEstablished = true
                current = incarnation
                stopYielding(&context)
            case .running, nil:
                current = incarnation
            }
        } else if let place = departing.firstIndex(where: { $0.id.number == number }) {
            let phase = departing[place].phase
            let consequence = body(&departing[place], &context)
            let incarnation = departing[place]
            remember(incarnation)
            result.answered = phase.awaitsStart && !incarnation.phase.awaitsStart
            switch consequence {
            case .ended(let reason): result.ended = (incarnation, reason)
            case .gone: departing.remove(at: place)
            case .leaving, .ready, .running, .expired, .yielding, nil: break
            }
            if !incarnation.mayRun { result.mayStart = endPredecessorWait() }
        }
        return result
    }
}

extension Slot {
    /// Its successor is ready.
    private mutating func stopYielding(_ context: inout Context) {
        for place in departing.indices {
            guard departing[place].isYielding, let reason = departing[place].yields else { continue }
            // That it leaves is what its slot knows already.
            _ = departing[place].handle(.stop(reason), &context)
        }
    }
}

extension Incarnation.Phase {
    /// The host owes an answer to a start.
    var awaitsStart: Bool { self == .starting || self == .aborting }
}
