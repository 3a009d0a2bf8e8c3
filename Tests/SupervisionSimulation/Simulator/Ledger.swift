import Supervision

/// The account of one history, kept from events and actions alone: what supervision was told and what it
/// asked for. It shares no code with supervision, so that a mistake there is not repeated here.
struct Ledger {
    /// One incarnation.
    struct Life {
        let number: Int
        let askedAt: Instant
        /// What it was started for.
        var policy: GroupPolicy
        /// The grace of its way out, or of what it left behind, as its group had it then.
        var grace = Duration.zero
        var hasStartTimeout = false
        /// Where the slot's incarnation before ran, as far as that was known at the start.
        var predecessor: Int32?
        /// Neither ended nor told to stop.
        var isCurrent = true
        /// Works on until its successor is ready, for this reason.
        var yields: Reason?
        /// It has been above its threshold for as long as it may.
        var excessIsOver = false
        /// OOM kills that were told while it lived.
        var oomKillsTold: UInt64 = 0
        /// Other limits were told of, and not taken on yet.
        var awaitsLimits = false
        /// This step takes them on.
        var takesLimits = false
        var answered = false
        var pid: Int32?
        var failure: StartFailure?
        var startTold = false
        var startedAt: Instant?
        var readyAt: Instant?
        var cause: Reason?
        var leftAt: Instant?
        var signalledAt: Instant?
        var killedAt: Instant?
        var kills = 0
        /// It was killed before its start was answered, so once it runs it is to be killed at once.
        var mustDieAtOnce = false
        var exit: Exit?
        var hasEnded = false
        var leftoversSignalledAt: Instant?
        var wasEmptied = false
        var purges = 0
        var failedRemovals = 0
        /// The last removal during the stop failed in a way that another will not mend.
        var removalIsRefused = false
        var removalAsked = false
        var isGone = false
        /// Said to be stuck, its end is still to be told.
        var isAbandoned = false
        var timer: Instant?
        var spans: [Span: Instant] = [:]
        var high: UInt64?
        var highBefore: UInt64?
        var counters = MemoryCounters()
        var observed = true
        var measured: MemoryMeasurement?
        var maxIsBounded = false

        var mayRun: Bool { !hasEnded && !isGone }
        var works: Bool { isCurrent || yields != nil }

        func lifeIsOver(at now: Instant) -> Bool {
            guard let maximum = policy.maximumLifetime, let startedAt else { return false }
            return spans[.lifetime] == nil && now >= startedAt + maximum * 4 / 5
        }
    }

    struct SlotAccount {
        let id: SlotID
        var lives: [Life] = []
        var lastNumber = 0
        var lastStart: Instant?
        var lastPID: (number: Int, pid: Int32)?
        var failures = 0
        var earliest = Instant(nanoseconds: 0)
        var timer: Instant?
        var toldOfPace = false
        /// Why its last worker has no successor.
        var rest: Reason?
        var isStaffed = false
        var isReady = false
        /// A worker of it was ready, and none failed since; and as it was counted last.
        var isEstablished = false
        var isCounted = false
        var slid = 0
    }

    struct GroupAccount {
        var policy: GroupPolicy
        var failures: [Instant] = []
        var wasReady = false
        var readySlots = 0
        var established = 0
        var roll: RollAccount?
        var rollTimer: Instant?
        /// When that timer came last.
        var settledUntil = Instant(nanoseconds: 0)
        /// It is being measured, to learn who may yield.
        var isBeingMeasured = false

        /// How many slots are to hold a worker.
        var wanted: Int { max(policy.workers, 0) }
    }

    /// A rolling restart that was told to have begun.
    struct RollAccount {
        /// Slots still to be renewed, and those just renewed whose worker is not known to work.
        var pending: Set<Int>
        var underWay: Set<Int> = []
        /// How many may be missing, where the restart said so.
        var most: Int?
    }

    /// What an action of this step must still bring.
    struct Dues {
        var oom: Occurrence?
        var looks: Set<IncarnationID> = []
        var backOff: [(place: Int, low: Duration, high: Duration, failures: Int)] = []
        var tooManyFailures: Int?
        var cannotRun: IncarnationID?
        var stopRequested: IncarnationID?
        var groupFailed = false
        var supervisorReady = false
        var rollStarted: [Int: Int] = [:]
        var rollFailed: [Int: (IncarnationID, Reason)] = [:]
        var scaled: (group: Int, from: Int, to: Int)?
    }

    let layout: Layout
    var groups: [GroupAccount]
    var slots: [SlotAccount]
    var now = Instant.origin
    var event = Event.begin
    var hasBegun = false
    var stoppedAt: Instant?
    var killRequestedAt: Instant?
    /// All has ended by then.
    var bound: Instant?
    var outcome: Outcome?
    var stoppedTold = false
    var hasFinished = false
    var wiresTimer: Instant?
    var startsInFlight = 0
    var unstaffed: Int
    var slidWires = 0
    var living = 0
    var wasReady = false
    /// Of all policies that ever were.
    var longestGrace = Duration.zero
    var dues = Dues()
    private var steps = 0
    private var touched: [Int] = []

    /// The host delivers a timer this late at most.
    static let lateness: Duration = .milliseconds(20)
    /// EPERM, EACCES and EROFS: a removal that fails so is not tried again during the stop.
    static let refusals: Set<Int32> = [1, 13, 30]
    /// The host answers a removal within this time.
    static let removalAnswer: Duration = .seconds(1)

    init(_ policies: [GroupPolicy], capacity: [Int]) {
        layout = Layout(capacity)
        groups = policies.map { GroupAccount(policy: $0) }
        longestGrace = policies.map(\.stopTimeout).max() ?? .zero
        slots = capacity.enumerated().flatMap { group, size in
            (0..<size).map { SlotAccount(id: SlotID(group: group, slot: $0 + 1), isStaffed: true) }
        }
        unstaffed = 0
        for place in slots.indices where isWanted(slots[place].id) {
            slots[place].isStaffed = false
            unstaffed += 1
        }
    }

    /// The slot is to hold a worker.
    func isWanted(_ id: SlotID) -> Bool {
        groups.indices.contains(id.group) && id.slot <= groups[id.group].wanted
    }

    var isStopping: Bool { outcome != nil }

    /// Every timer that is set.
    var timers: [TimerID: Instant] {
        var all: [TimerID: Instant] = [:]
        all[.wires] = wiresTimer
        for group in groups.indices { all[.roll(group: group)] = groups[group].rollTimer }
        for slot in slots {
            all[.slot(slot.id)] = slot.timer
            for life in slot.lives {
                let id = IncarnationID(slot: slot.id, number: life.number)
                all[.incarnation(id)] = life.timer
                for (span, end) in life.spans { all[.span(id, span)] = end }
            }
        }
        return all
    }

    // MARK: A step

    /// Takes in one step: the event, and the actions it led to.
    mutating func enter(_ event: Event, at instant: Instant, _ actions: [Action]) throws(Violation) {
        now = instant
        self.event = event
        steps += 1
        if hasFinished {
            guard actions.isEmpty else { throw violation(.finishesOnce, "\(actions[0]) after the finish") }
            return
        }
        dues = Dues()
        touched.removeAll(keepingCapacity: true)
        let isKnown = note(event)
        if !isKnown, let first = actions.first {
            throw violation(.nothingForTheGone, "\(first) follows an event for what is not there")
        }
        for action in actions {
            if hasFinished { throw violation(.finishesOnce, "\(action) after the finish") }
            try enter(action)
        }
        try checkDues()
        if dues.groupFailed || isAboutAll { touched = Array(slots.indices) }
        for place in touched { try check(place) }
        try checkWhole()
        if steps % 256 == 0 { for place in slots.indices { try check(place) } }
    }

    private var isAboutAll: Bool {
        switch event {
        case .stop, .kill, .begin: true
        case .incarnation, .groupMeasured, .timer, .restart, .configure: dues.stopRequested != nil
        }
    }

    mutating func touch(_ place: Int) {
        if touched.last != place { touched.append(place) }
    }

    func violation(_ invariant: Invariant, _ sentence: String) -> Violation {
        Violation(invariant: invariant, sentence: sentence)
    }

    func index(of number: Int, at place: Int) -> Int? {
        slots[place].lives.lastIndex { $0.number == number }
    }

    /// Where an incarnation stands that is not gone.
    func find(_ id: IncarnationID) -> (place: Int, index: Int)? {
        guard let place = layout.place(of: id.slot), let index = index(of: id.number, at: place) else {
            return nil
        }
        return (place, index)
    }

    // MARK: What was told

    /// Takes note of what the event says; false where it is about nothing that is there.
    private mutating func note(_ event: Event) -> Bool {
        switch event {
        case .begin: hasBegun = true
        case .stop:
            guard stoppedAt == nil else { break }
            stoppedAt = now
            setBound()
        case .kill:
            guard killRequestedAt == nil else { break }
            stoppedAt = stoppedAt ?? now
            killRequestedAt = now
            setBound()
        case .restart(let restart, let most): note(restart, most)
        case .groupMeasured(let group, _):
            guard groups.indices.contains(group) else { return false }
            groups[group].isBeingMeasured = false
        case .configure(let group, let policy, let rolls): note(group, policy, rolls: rolls)
        case .timer(.roll(let group)):
            guard groups.indices.contains(group), let due = groups[group].rollTimer, now >= due else {
                return false
            }
            groups[group].rollTimer = nil
            groups[group].settledUntil = now
        case .timer(.wires):
            guard let due = wiresTimer, now >= due else { return false }
            wiresTimer = nil
        case .timer(.slot(let id)):
            guard let place = layout.place(of: id) else { return false }
            touch(place)
            guard let due = slots[place].timer, now >= due else { return false }
            slots[place].timer = nil
        case .timer(.span(let id, let span)):
            guard let (place, index) = find(id) else { return false }
            touch(place)
            guard let due = slots[place].lives[index].spans[span], now >= due else { return false }
            slots[place].lives[index].spans[span] = nil
            if span == .excess {
                slots[place].lives[index].excessIsOver = true
                dues.looks.insert(id)
            }
        case .timer(.incarnation(let id)):
            guard let (place, index) = find(id) else { return false }
            touch(place)
            guard let due = slots[place].lives[index].timer, now >= due else { return false }
            slots[place].lives[index].timer = nil
        case .incarnation(let id, let input):
            guard let (place, index) = find(id) else { return false }
            touch(place)
            if case .counters(let counters) = input { expectLook(id, slots[place].lives[index], counters) }
            let wasAnswered = slots[place].lives[index].answered
            Self.note(input, at: now, &slots[place].lives[index])
            if case .removalFailed(let errno) = input {
                slots[place].lives[index].removalIsRefused = isStopping && Self.refusals.contains(errno)
            }
            if !wasAnswered, slots[place].lives[index].answered {
                startsInFlight -= 1
                let life = slots[place].lives[index]
                if life.awaitsLimits, life.isCurrent, life.failure == nil { dues.looks.insert(id) }
            }
            if case .measured = input { takeLimits(place, index) }
            if let pid = slots[place].lives[index].pid, id.number >= slots[place].lastPID?.number ?? 0 {
                slots[place].lastPID = (id.number, pid)
            }
        }
        return true
    }

    private mutating func expectLook(_ id: IncarnationID, _ life: Life, _ counters: MemoryCounters) {
        guard life.works, life.answered, life.policy.memoryThreshold != nil,
            counters.high > life.counters.high || counters.max > life.counters.max
        else { return }
        dues.looks.insert(id)
    }

    private mutating func takeLimits(_ place: Int, _ index: Int) {
        let life = slots[place].lives[index]
        slots[place].lives[index].takesLimits = life.awaitsLimits && life.works && life.answered
        guard slots[place].lives[index].takesLimits else { return }
        let policy = groups[slots[place].id.group].policy
        slots[place].lives[index].awaitsLimits = false
        slots[place].lives[index].policy.memoryThreshold = policy.memoryThreshold
        slots[place].lives[index].policy.memoryMax = policy.memoryMax
    }

    private static func note(_ input: Incarnation.Input, at now: Instant, _ life: inout Life) {
        switch input {
        case .started(let pid):
            guard !life.answered else { return }
            life.answered = true
            life.pid = pid
            life.startedAt = now
            life.mustDieAtOnce = life.kills > 0
        case .adopted(let pid, let since):
            guard !life.answered else { return }
            life.answered = true
            life.pid = pid
            life.startedAt = since
            life.mustDieAtOnce = life.kills > 0
        case .startFailed(let failure):
            guard !life.answered else { return }
            life.answered = true
            life.failure = failure
        case .exited(let exit):
            guard life.answered, life.failure == nil, life.exit == nil else { return }
            life.exit = exit
        case .measured(let measurement):
            guard life.works, life.answered else { return }
            life.measured = measurement
            life.highBefore = life.high
        case .removed:
            guard life.removalAsked else { return }
            life.removalAsked = false
            life.isGone = true
        case .removalFailed:
            guard life.hasEnded else { return }
            life.removalAsked = false
            life.failedRemovals += 1
        case .emptied:
            if life.hasEnded { life.wasEmptied = true }
        case .counters(let counters):
            if life.works, life.answered { life.counters = counters }
        case .ready, .pressed, .alive, .watchdogInterval, .broken, .extended, .leaving: break
        }
    }
}
