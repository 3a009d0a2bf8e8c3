package import Supervision

/// Plays random histories against supervision, one after the other, until enough events were told.
package struct Simulation {
    /// A history that broke an invariant, with what a person needs to see it again.
    package struct Failure: Error {
        package var violation: Violation
        package var seed: UInt64
        package var history: Int
        package var step: Int
        package var trace: [String]
    }

    package let seed: UInt64
    package private(set) var score = Score()
    private let target: Invariant?
    private let transfer: Transfer?

    /// Hands a supervision over, as to another process: the result must go on as the original would.
    package typealias Transfer = (Supervision) throws -> Supervision

    /// - Parameter target: an invariant to be broken by a deliberate mistake in the actions.
    /// - Parameter transfer: tried at random moments; from then on both go on, and must do the same.
    package init(seed: UInt64, breaking target: Invariant? = nil, transfer: Transfer? = nil) {
        self.seed = seed
        self.target = target
        self.transfer = transfer
    }

    /// - Parameter progress: called after each history.
    package mutating func run(events: Int, progress: (Score) -> Void = { _ in }) throws(Failure) {
        var seeds = SplitMix64(seed: seed)
        while score.events < events {
            let longest = min(30_000, max(events / 4, 10))
            var history = History(seed: seeds.next(), longest: longest, breaking: target, transfer: transfer)
            do {
                try history.play(&score)
            } catch {
                throw Failure(
                    violation: error, seed: seed, history: score.histories, step: score.events,
                    trace: history.trace)
            }
            score.histories += 1
            progress(score)
        }
    }
}

/// One history: a fresh configuration from its begin to its finish, and a little beyond.
struct History {
    private struct Step {
        var at: Instant
        var event: Event
        var actions: [Action]
    }

    private let scenario: Scenario
    private var supervision: Supervision
    private var host: ModelHost
    private var ledger: Ledger
    private var random: SplitMix64
    private var saboteur: Saboteur?
    private let transfer: Simulation.Transfer?
    private var twin: Supervision?
    private var steps = 0
    private var stopTold = false
    private var now = Instant.origin
    /// The last steps, a ring.
    private var last: [Step] = []

    private static let traceLength = 30

    init(seed: UInt64, longest: Int, breaking target: Invariant?, transfer: Simulation.Transfer?) {
        random = SplitMix64(seed: seed)
        scenario = Scenario(&random, longest: longest)
        supervision = Supervision(scenario.policies, seed: random.next())
        host = ModelHost(scenario, seed: random.next())
        ledger = Ledger(scenario.policies, capacity: scenario.capacity)
        saboteur = target.map { Saboteur($0) }
        self.transfer = transfer
    }

    mutating func play(_ score: inout Score) throws(Violation) {
        try step(.begin, &score)
        var silence = 0
        while !host.hasFinished {
            // Where all others rest, one that lives for ever and raises no alarm would go on without end.
            if !stopTold, steps >= scenario.stopAfter || host.queue.isEmpty || silence > 10_000 { tellStop() }
            guard let (happening, instant) = host.queue.next() else {
                throw Violation(
                    invariant: .endsInBoundedTime,
                    sentence: "nothing will happen any more, and it did not finish")
            }
            now = max(instant, now)
            host.now = now
            silence += 1
            guard let event = host.happen(happening) else { continue }
            silence = 0
            try step(event, &score)
            disturb(event)
        }
        try goBeyond(&score)
    }

    private mutating func tellStop() {
        stopTold = true
        host.plan(.tell(.stop), in: .zero)
        if scenario.stopsTwice { host.plan(.tell(.stop), in: .milliseconds(300)) }
        guard let delay = scenario.killAfterStop else { return }
        for number in 0...random.below(8) { host.plan(.tell(.kill), in: delay + .milliseconds(50) * number) }
    }

    /// Events that come again, and events that nobody sent.
    private mutating func disturb(_ event: Event) {
        if random.chance(scenario.repeated), Self.mayRepeat(event) {
            host.plan(.tell(event), in: random.between(.microseconds(1), .seconds(5)))
        }
        if random.chance(scenario.stray) {
            host.plan(.tell(stray()), in: random.between(.microseconds(1), .seconds(1)))
        }
        if random.chance(scenario.restarts) {
            let most: Int? = random.chance(300) ? 1 + random.below(4) : nil
            host.plan(
                .tell(.restart(restart(), maximumUnavailable: most)),
                in: random.between(.microseconds(1), .seconds(20)))
        }
        if random.chance(scenario.changes) {
            host.plan(.tell(change()), in: random.between(.microseconds(1), .seconds(20)))
        }
    }

    private mutating func restart() -> Restart {
        switch random.below(4) {
        case 0: return .all
        case 1: return .slot(host.slotID(random.below(host.layout.count)))
        default: return .group(random.below(host.layout.sizes.count) - (random.chance(20) ? 1 : 0))
        }
    }

    /// Another policy for a group, or a group more.
    private mutating func change() -> Event {
        let group = random.below(min(host.policies.count + 1, host.layout.sizes.count))
        var policy: GroupPolicy
        if host.policies.indices.contains(group), random.chance(700) {
            policy = host.policies[group]
            if random.chance(300) { policy.memoryMax = (16 << 20) << UInt64(random.below(6)) }
        } else {
            policy = Scenario.policy("group\(group + 1)", random.pick([.program, .sergeant]), &random)
        }
        policy.workers = random.below(host.layout.sizes[group] + 1)
        return .configure(group: group, policy, rolls: random.chance(500))
    }

    /// A removal is a system call of the host's own: its failure is never told twice.
    private static func mayRepeat(_ event: Event) -> Bool {
        switch event {
        case .incarnation(_, .removalFailed), .timer, .begin, .stop, .kill, .restart, .configure,
            .groupMeasured:
            false
        case .incarnation: true
        }
    }

    private mutating func stray() -> Event {
        let slot = host.slotID(random.below(host.layout.count))
        let place = host.layout.place(of: slot) ?? 0
        let number = (host.cgroups[place].last?.number ?? 0) - random.below(3) + random.below(2)
        var id = IncarnationID(slot: slot, number: number)
        if random.chance(50) { id.slot.slot = 1000 }
        if random.chance(50) { id.slot.group = random.pick([-1, 7]) }
        switch random.below(10) {
        case 0: return .timer(.slot(id.slot))
        case 1: return .timer(.wires)
        case 2: return .timer(.incarnation(id))
        case 3: return .incarnation(id, .ready)
        case 4: return .incarnation(id, .emptied)
        case 5:
            let unreclaimable = UInt64(random.below(512 << 20))
            return .incarnation(
                id,
                .measured(
                    MemoryMeasurement(
                        current: unreclaimable + UInt64(random.below(512 << 20)), unreclaimable: unreclaimable
                    )))
        case 9: return .timer(.span(id, random.pick(Span.allCases)))
        case 8: return .timer(.roll(group: id.slot.group))
        case 6: return .incarnation(id, .counters(MemoryCounters(high: UInt64(random.below(5)))))
        default: return .begin
        }
    }

    private mutating func step(_ event: Event, _ score: inout Score) throws(Violation) {
        score.note(event, supervision)
        try handOver()
        var actions = supervision.handle(event, at: now)
        if let other = twin?.handle(event, at: now), other != actions || twin != supervision {
            throw Violation(
                invariant: .survivesTransfer, sentence: "\(event) leads to \(other) after a transfer")
        }
        saboteur?.alter(&actions, event, now)
        let taken = Step(at: now, event: event, actions: actions)
        if last.count < Self.traceLength {
            last.append(taken)
        } else {
            last[steps % Self.traceLength] = taken
        }
        steps += 1
        score.count(event, actions)
        host.note(event)
        try ledger.enter(event, at: now, actions)
        host.now = now
        host.perform(actions)
    }

    private mutating func handOver() throws(Violation) {
        guard let transfer, random.chance(5) else { return }
        do {
            let other = try transfer(supervision)
            guard other.timers == ledger.timers else {
                throw Violation(
                    invariant: .survivesTransfer, sentence: "\(other.timers) are set after a transfer")
            }
            twin = other
        } catch {
            throw Violation(invariant: .survivesTransfer, sentence: "the transfer fails: \(error)")
        }
    }

    /// What still comes after the finish changes nothing.
    private mutating func goBeyond(_ score: inout Score) throws(Violation) {
        for event in [Event.stop, .kill, .begin, .timer(.wires)] { try step(event, &score) }
        for _ in 0..<20 {
            guard let (happening, instant) = host.queue.next() else { return }
            now = max(instant, now)
            host.now = now
            if let event = host.happen(happening) { try step(event, &score) }
        }
    }

    var trace: [String] {
        let first = last.count < Self.traceLength ? 0 : steps % Self.traceLength
        let policies = scenario.policies.map { "policy \(Self.brief($0))" }
        return policies
            + last.indices.map { last[(first + $0) % last.count] }.map { step in
                let actions = step.actions.map { "\n        -> \(Self.brief($0))" }.joined()
                return "\(step.at.nanoseconds) \(Self.brief(step.event))\(actions)"
            }
    }

    /// Reads better without the module and the names of the types that are clear without.
    private static func brief(_ value: Any) -> String {
        "\(value)".replacing("Supervision.", with: "").replacing("IncarnationID", with: "")
            .replacing("SlotID", with: "").replacing("Incarnation.Input.", with: "")
            .replacing("Occurrence.", with: "")
    }
}
