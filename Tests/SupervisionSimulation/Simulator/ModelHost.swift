import Supervision

/// Answers actions with events after random delays, as a kernel with workers of every kind would.
struct ModelHost {
    enum Happening {
        case tell(Event)
        case answerStart(IncarnationID)
        case exit(IncarnationID)
        case leftoversGo(IncarnationID)
        case answerEmptiness(IncarnationID)
        case answerRemoval(IncarnationID)
        case answerMeasurement(IncarnationID)
        case answerGroupMeasurement(Int)
        case useMemory(IncarnationID)
        case timer(TimerID, generation: Int)
    }

    /// A cgroup and what runs in it.
    struct Cgroup {
        let number: Int
        var policy: GroupPolicy
        var pid: Int32?
        var isAnswered = false
        var isRunning = false
        var hasLeftovers = false
        var leavesLeftovers = false
        /// When it will end, for an end that was planned earlier does not count any more.
        var endsAt: Instant?
        var exit = Exit(status: .code(0))
        var undyingUntil: Instant?
        var wasKilled = false
        var awaitsEmptiness = false
        var timer = 0
        var spanTimers: [Span: Int] = [:]
        var counters = MemoryCounters()
        var memory = MemoryMeasurement(current: 8 << 20, unreclaimable: 6 << 20)
        var presses = false
        var leaks = false
        var high: UInt64?
        var isObserved = true
    }

    let scenario: Scenario
    let layout: Layout
    /// As they are now.
    private(set) var policies: [GroupPolicy]
    var random: SplitMix64
    var queue = Queue<Happening>()
    var cgroups: [[Cgroup]]
    var now = Instant.origin
    private(set) var hasFinished = false
    private var generation = 0
    private var nextPID: Int32 = 1
    private var slotTimers: [Int]
    private var wiresTimer = 0
    private var rollTimers: [Int]

    init(_ scenario: Scenario, seed: UInt64) {
        self.scenario = scenario
        layout = Layout(scenario.capacity)
        policies = scenario.policies
        random = SplitMix64(seed: seed)
        cgroups = Array(repeating: [], count: layout.count)
        slotTimers = Array(repeating: 0, count: layout.count)
        rollTimers = Array(repeating: 0, count: layout.sizes.count)
    }

    func find(_ id: IncarnationID) -> (Int, Int)? {
        guard let place = layout.place(of: id.slot),
            let index = cgroups[place].lastIndex(where: { $0.number == id.number })
        else { return nil }
        return (place, index)
    }

    mutating func plan(_ happening: Happening, in delay: Duration) {
        queue.add(happening, at: now + delay)
    }

    mutating func tell(_ id: IncarnationID, _ input: Incarnation.Input, in delay: Duration) {
        plan(.tell(.incarnation(id, input)), in: delay)
    }

    /// The workers of a group are started as the newest policy says.
    mutating func note(_ event: Event) {
        guard case .configure(let group, let policy, let rolls) = event, group <= policies.count else {
            return
        }
        if group == policies.count { policies.append(policy) } else { policies[group] = policy }
        guard !rolls else { return }
        for place in cgroups.indices where slotID(place).group == group {
            for index in cgroups[place].indices {
                cgroups[place][index].policy.memoryThreshold = policy.memoryThreshold
                cgroups[place][index].policy.memoryMax = policy.memoryMax
            }
        }
    }

    // MARK: Actions

    mutating func perform(_ actions: [Action]) {
        for action in actions { perform(action) }
    }

    private mutating func perform(_ action: Action) {
        switch action {
        case .start(let id): start(id)
        case .signal(let id): signal(id)
        case .signalLeftovers(let id):
            if !random.chance(scenario.stubbornLeftovers) {
                plan(.leftoversGo(id), in: random.between(.microseconds(50), .seconds(10)))
            }
        case .kill(let id): kill(id)
        case .watchForEmptiness(let id):
            guard let (place, index) = find(id) else { break }
            cgroups[place][index].awaitsEmptiness = true
            plan(.answerEmptiness(id), in: random.between(.microseconds(10), .milliseconds(1)))
        case .measureMemory(let id):
            plan(.answerMeasurement(id), in: random.between(.microseconds(5), .milliseconds(20)))
        case .measureGroup(let group):
            plan(.answerGroupMeasurement(group), in: random.between(.microseconds(5), .milliseconds(20)))
        case .setMemoryHigh(let id, let bytes):
            if let (place, index) = find(id) { cgroups[place][index].high = bytes }
        case .observeMemoryEvents(let id, let observed):
            if let (place, index) = find(id) { cgroups[place][index].isObserved = observed }
        case .remove(let id):
            plan(.answerRemoval(id), in: random.between(.microseconds(10), .milliseconds(900)))
        case .setTimer(let timer, let instant): set(timer, instant)
        case .cancelTimer(let timer): setGeneration(timer)
        case .finish: hasFinished = true
        case .abort, .setMemoryMax, .lowerMemoryMax, .report: break
        }
    }

    private mutating func start(_ id: IncarnationID) {
        guard let place = layout.place(of: id.slot) else { return }
        let policy = policies[id.group]
        cgroups[place].append(Cgroup(number: id.number, policy: policy, high: policy.memoryThreshold))
        if random.chance(scenario.unansweredStarts) { return }
        let isSlow = random.chance(scenario.slowStarts)
        let longest: Duration = isSlow ? .seconds(40) : .milliseconds(5)
        plan(.answerStart(id), in: random.between(.microseconds(200), longest))
    }

    private mutating func signal(_ id: IncarnationID) {
        guard let (place, index) = find(id), cgroups[place][index].isRunning else { return }
        let grace = cgroups[place][index].policy.stopTimeout
        if random.chance(scenario.temper.obedient) {
            end(place, index, in: random.between(.microseconds(100), max(grace * 9 / 10, .milliseconds(1))))
            if random.chance(300) { cgroups[place][index].exit.status = .signal(15, coreDumped: false) }
        } else if random.chance(scenario.temper.slow) {
            end(place, index, in: grace + random.between(.milliseconds(1), .seconds(20)))
        }
    }

    private mutating func kill(_ id: IncarnationID) {
        guard let (place, index) = find(id) else { return }
        if !cgroups[place][index].wasKilled {
            cgroups[place][index].wasKilled = true
            if random.chance(scenario.temper.undying) {
                let forEver = random.chance(scenario.temper.undyingForEver)
                let wait: Duration =
                    forEver ? .seconds(1_000_000) : random.between(.milliseconds(1), .seconds(60))
                cgroups[place][index].undyingUntil = now + wait
            }
        }
        if let until = cgroups[place][index].undyingUntil, until > now {
            if until - now > .seconds(100_000) { return }
            plan(.leftoversGo(id), in: until - now)
            if cgroups[place][index].isRunning { die(place, index, in: until - now) }
            return
        }
        let delay = random.between(.microseconds(20), .milliseconds(20))
        plan(.leftoversGo(id), in: delay)
        if cgroups[place][index].isRunning { die(place, index, in: delay) }
    }

    private mutating func die(_ place: Int, _ index: Int, in delay: Duration) {
        cgroups[place][index].leavesLeftovers = false
        end(place, index, in: delay)
        cgroups[place][index].exit.status = .signal(9, coreDumped: false)
    }

    /// Plans the end of a main process, unless it comes sooner anyway.
    private mutating func end(_ place: Int, _ index: Int, in delay: Duration) {
        let instant = now + delay
        if let planned = cgroups[place][index].endsAt, planned <= instant { return }
        cgroups[place][index].endsAt = instant
        let slot = slotID(place)
        queue.add(.exit(IncarnationID(slot: slot, number: cgroups[place][index].number)), at: instant)
    }

    func slotID(_ place: Int) -> SlotID {
        var group = 0
        var rest = place
        while rest >= layout.sizes[group] {
            rest -= layout.sizes[group]
            group += 1
        }
        return SlotID(group: group, slot: rest + 1)
    }

    // MARK: Timers

    @discardableResult
    private mutating func setGeneration(_ timer: TimerID) -> Int {
        generation += 1
        switch timer {
        case .wires: wiresTimer = generation
        case .roll(let group): rollTimers[group] = generation
        case .slot(let id): if let place = layout.place(of: id) { slotTimers[place] = generation }
        case .incarnation(let id):
            if let (place, index) = find(id) { cgroups[place][index].timer = generation }
        case .span(let id, let span):
            if let (place, index) = find(id) { cgroups[place][index].spanTimers[span] = generation }
        }
        return generation
    }

    private mutating func set(_ timer: TimerID, _ instant: Instant) {
        let generation = setGeneration(timer)
        let late = random.chance(800) ? Duration.zero : random.between(.microseconds(1), .milliseconds(10))
        queue.add(.timer(timer, generation: generation), at: max(instant, now) + late)
    }

    private func isSet(_ timer: TimerID, _ generation: Int) -> Bool {
        switch timer {
        case .wires: wiresTimer == generation
        case .roll(let group): rollTimers[group] == generation
        case .slot(let id): layout.place(of: id).map { slotTimers[$0] == generation } ?? false
        case .incarnation(let id): find(id).map { cgroups[$0.0][$0.1].timer == generation } ?? false
        case .span(let id, let span):
            find(id).map { cgroups[$0.0][$0.1].spanTimers[span] == generation } ?? false
        }
    }

    // MARK: Happenings

    /// The next event, if what happens next is one that supervision is told of; nil where it is not.
    mutating func happen(_ happening: Happening) -> Event? {
        switch happening {
        case .tell(let event): return event
        case .timer(let timer, let generation): return isSet(timer, generation) ? .timer(timer) : nil
        case .answerStart(let id): return answerStart(id).map { .incarnation(id, $0) }
        case .exit(let id): return exit(id).map { .incarnation(id, $0) }
        case .leftoversGo(let id):
            guard let (place, index) = find(id) else { return nil }
            if let until = cgroups[place][index].undyingUntil, until > now { return nil }
            cgroups[place][index].hasLeftovers = false
            return emptied(place, index).map { .incarnation(id, $0) }
        case .answerEmptiness(let id):
            guard let (place, index) = find(id) else { return .incarnation(id, .emptied) }
            return emptied(place, index).map { .incarnation(id, $0) }
        case .answerRemoval(let id): return .incarnation(id, answerRemoval(id))
        case .answerMeasurement(let id):
            guard let (place, index) = find(id) else { return nil }
            return .incarnation(id, .measured(cgroups[place][index].memory))
        case .answerGroupMeasurement(let group): return .groupMeasured(group, memory(of: group))
        case .useMemory(let id):
            guard let (place, index) = find(id) else { return nil }
            return useMemory(id, place, index).map { .incarnation(id, $0) }
        }
    }

    private mutating func answerStart(_ id: IncarnationID) -> Incarnation.Input? {
        guard let (place, index) = find(id), !cgroups[place][index].isAnswered else { return nil }
        cgroups[place][index].isAnswered = true
        if random.chance(scenario.failedStarts) {
            let isPermanent = random.chance(scenario.permanentFailures)
            return .startFailed(StartFailure(isPermanent: isPermanent, sentence: "no"))
        }
        let pid = nextPID
        nextPID &+= 1
        cgroups[place][index].pid = pid
        cgroups[place][index].isRunning = true
        cgroups[place][index].leavesLeftovers = random.chance(scenario.leftovers)
        cgroups[place][index].exit = ownEnd(cgroups[place][index].policy)
        if cgroups[place][index].wasKilled, random.chance(700) {
            die(place, index, in: random.between(.microseconds(20), .milliseconds(20)))
        } else if !random.chance(scenario.livesForEver) {
            end(place, index, in: random.between(scenario.shortestLife, scenario.longestLife))
        }
        if !random.chance(scenario.neverReady) {
            tell(id, .ready, in: random.between(.microseconds(100), .seconds(random.chance(100) ? 90 : 1)))
        }
        if random.chance(scenario.memory) {
            cgroups[place][index].presses = true
            cgroups[place][index].leaks = random.chance(300)
            plan(.useMemory(id), in: random.between(.microseconds(100), .seconds(5)))
        }
        guard random.chance(scenario.adoptions) else { return .started(pid: pid) }
        if random.chance(500) { cgroups[place][index].exit.status = .unknown }
        return .adopted(pid: pid, since: now + (.zero - random.between(.zero, .seconds(3600))))
    }

    /// How a worker ends of its own accord.
    private mutating func ownEnd(_ policy: GroupPolicy) -> Exit {
        var exit = Exit(status: .code(0))
        if random.chance(scenario.failures) {
            exit.status = random.chance(500) ? .code(1) : .signal(11, coreDumped: random.chance(500))
        }
        if random.chance(scenario.outOfMemory) {
            exit.status = .signal(9, coreDumped: false)
            exit.memory = MemoryCounters(
                oom: random.chance(500) ? 1 : 0, oomKill: UInt64(1 + random.below(3)))
        } else if random.chance(500) {
            exit.memory = MemoryCounters()
        }
        if policy.conduct == .sergeant, random.chance(800) {
            let code: Int32 = random.chance(scenario.failures) ? random.pick([1, 1, 6, 1, 2, 3, 7]) : 0
            let answer: Int32? = random.chance(20) ? nil : code
            exit.report = WorkerReport(returnCode: random.chance(50) ? 4 : answer)
            if random.chance(1) { exit.report = WorkerReport(returnCode: 5) }
        }
        return exit
    }

    private mutating func exit(_ id: IncarnationID) -> Incarnation.Input? {
        guard let (place, index) = find(id), cgroups[place][index].isRunning,
            cgroups[place][index].endsAt.map({ $0 <= now }) == true
        else { return nil }
        cgroups[place][index].isRunning = false
        cgroups[place][index].hasLeftovers = cgroups[place][index].leavesLeftovers
        var exit = cgroups[place][index].exit
        let counters = cgroups[place][index].counters
        if counters.oomKill > 0 {
            exit.memory = MemoryCounters(
                oom: counters.oom + (exit.memory?.oom ?? 0),
                oomKill: counters.oomKill + (exit.memory?.oomKill ?? 0))
        }
        return .exited(exit)
    }

    private mutating func emptied(_ place: Int, _ index: Int) -> Incarnation.Input? {
        let cgroup = cgroups[place][index]
        guard cgroup.awaitsEmptiness, !cgroup.isRunning, !cgroup.hasLeftovers else { return nil }
        cgroups[place][index].awaitsEmptiness = false
        return .emptied
    }

    private mutating func answerRemoval(_ id: IncarnationID) -> Incarnation.Input {
        guard let (place, index) = find(id) else { return .removed }
        let cgroup = cgroups[place][index]
        if cgroup.isRunning || cgroup.hasLeftovers || random.chance(scenario.busyRemovals) {
            return .removalFailed(errno: 16)
        }
        if random.chance(scenario.failedRemovals) { return .removalFailed(errno: random.pick([5, 30])) }
        cgroups[place].remove(at: index)
        return .removed
    }

    // MARK: Memory

    private func memory(of group: Int) -> MemoryMeasurement {
        var sum = MemoryMeasurement(current: 0, unreclaimable: 0)
        for place in cgroups.indices where slotID(place).group == group {
            for cgroup in cgroups[place] {
                sum.current += cgroup.memory.current
                sum.unreclaimable += cgroup.memory.unreclaimable
            }
        }
        return sum
    }

    private mutating func useMemory(_ id: IncarnationID, _ place: Int, _ index: Int) -> Incarnation.Input? {
        guard cgroups[place][index].isRunning else { return nil }
        let leaks = cgroups[place][index].leaks
        plan(.useMemory(id), in: random.between(.milliseconds(1), leaks ? .milliseconds(500) : .seconds(10)))
        let policy = cgroups[place][index].policy
        let scale = policy.memoryThreshold ?? policy.memoryMax ?? 256 << 20
        var memory = cgroups[place][index].memory
        let cache = memory.current - memory.unreclaimable
        let step = UInt64(random.below(Int(leaks ? scale / 2 : scale / 8)))
        let grows = leaks || random.chance(450)
        let unreclaimable =
            grows ? memory.unreclaimable + step : memory.unreclaimable - min(step, memory.unreclaimable)
        memory.unreclaimable = min(unreclaimable, policy.memoryMax ?? .max)
        let nextCache = random.chance(700) ? cache + UInt64(random.below(Int(scale))) : cache / 4
        let limit = min(cgroups[place][index].high ?? .max, policy.memoryMax ?? .max)
        let room = limit > memory.unreclaimable ? limit - memory.unreclaimable : 0
        memory.current = memory.unreclaimable + min(nextCache, room)
        if random.chance(20) { memory.current += 1 << 20 }
        cgroups[place][index].memory = memory
        let alarmed = nextCache > room
        if alarmed, cgroups[place][index].high != nil {
            cgroups[place][index].counters.high += 1 + (step & 7)
        }
        if alarmed, cgroups[place][index].high == nil { cgroups[place][index].counters.max += 1 + (step & 7) }
        if random.chance(scenario.pressure) { return .pressed }
        if policy.oomPolicy == .continue, random.chance(30) {
            cgroups[place][index].counters.oomKill += UInt64(1 + random.below(2))
            cgroups[place][index].counters.oom += UInt64(random.below(2))
            return .counters(cgroups[place][index].counters)
        }
        guard alarmed || random.chance(100), cgroups[place][index].isObserved else { return nil }
        return .counters(cgroups[place][index].counters)
    }
}
