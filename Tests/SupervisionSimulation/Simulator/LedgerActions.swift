import Supervision

/// What supervision asked for, entered action by action.
extension Ledger {
    mutating func enter(_ action: Action) throws(Violation) {
        switch action {
        case .start(let id): try enterStart(id)
        case .signal(let id): try enterSignal(id)
        case .abort(let id): throw violation(.nothingForTheGone, "abort of \(id), which keeps no watchdog")
        case .signalLeftovers(let id): try enterSignalLeftovers(id)
        case .kill(let id): try enterKill(id)
        case .watchForEmptiness(let id): _ = try life(id, action)
        case .measureMemory(let id):
            _ = try life(id, action)
            dues.looks.remove(id)
        case .measureGroup(let group):
            guard groups.indices.contains(group), groups[group].policy.surges else {
                throw violation(.surgesWithRoom, "\(action), whose workers do not yield")
            }
            groups[group].isBeingMeasured = true
        case .lowerMemoryMax(let id, let bytes):
            let (place, index) = try life(id, action)
            let life = slots[place].lives[index]
            guard life.takesLimits, life.policy.memoryMax == bytes, bytes < life.measured?.current ?? 0 else {
                throw violation(.limitsAboveUse, "\(action), which nothing asks for")
            }
        case .setMemoryHigh(let id, let bytes): try enterLimit(id, bytes, isHigh: true, action)
        case .setMemoryMax(let id, let bytes): try enterLimit(id, bytes, isHigh: false, action)
        case .observeMemoryEvents(let id, let observed):
            let (place, index) = try life(id, action)
            slots[place].lives[index].observed = observed
        case .remove(let id): try enterRemoval(id)
        case .setTimer(let timer, let instant): try enterTimer(timer, instant)
        case .cancelTimer(let timer): try cancel(timer)
        case .report(let occurrence): try enter(occurrence)
        case .finish(let outcome): try enterFinish(outcome)
        }
    }

    /// The incarnation that an action names: it must be there.
    private mutating func life(_ id: IncarnationID, _ action: Action) throws(Violation) -> (Int, Int) {
        guard let (place, index) = find(id), !slots[place].lives[index].isGone else {
            throw violation(.nothingForTheGone, "\(action) for an incarnation that is gone")
        }
        touch(place)
        return (place, index)
    }

    private mutating func enterStart(_ id: IncarnationID) throws(Violation) {
        guard let place = layout.place(of: id.slot) else {
            throw violation(.numbersRise, "start of \(id), a slot that is not configured")
        }
        touch(place)
        if isStopping { throw violation(.noStartAfterStop, "start of \(id) after the stop") }
        if slots[place].lives.contains(where: \.isCurrent) {
            throw violation(.oneNotDraining, "start of \(id) while another incarnation works in its slot")
        }
        if id.number != slots[place].lastNumber + 1 {
            throw violation(.numbersRise, "start of \(id) after number \(slots[place].lastNumber)")
        }
        if slots[place].lives.count(where: \.mayRun) >= Tempo.drainingPerSlot {
            throw violation(.drainingBounded, "start of \(id) while others of its slot still may run")
        }
        if startsInFlight >= Tempo.startsInFlight {
            throw violation(.startsInFlight, "start of \(id) with \(startsInFlight) unanswered")
        }
        if now < slots[place].earliest {
            throw violation(
                .backOffKept, "start of \(id) \(slots[place].earliest - now) before its back-off ends")
        }
        if let last = slots[place].lastStart, now < last + Tempo.pace {
            throw violation(.paced, "start of \(id) \(now - last) after the slot's last start")
        }
        if !isWanted(id.slot) {
            throw violation(.scalesAsAsked, "start of \(id), a slot that was scaled down")
        }
        startsInFlight += 1
        living += 1
        if let reason = slots[place].rest {
            throw violation(.restsWhenDone, "start of \(id) in a slot that rests after \(reason)")
        }
        slots[place].lastNumber = id.number
        slots[place].lastStart = now
        var life = Life(number: id.number, askedAt: now, policy: groups[id.group].policy)
        life.predecessor = slots[place].lastPID?.pid
        life.high = groups[id.group].policy.memoryThreshold
        slots[place].lives.append(life)
    }

    private mutating func enterSignal(_ id: IncarnationID) throws(Violation) {
        let (place, index) = try life(id, .signal(id))
        let life = slots[place].lives[index]
        guard life.answered, life.mayRun else {
            throw violation(.nothingForTheGone, "stop signal for \(id), which does not run")
        }
        if life.signalledAt != nil { throw violation(.signalsOnce, "second stop signal for \(id)") }
        if life.high != nil {
            throw violation(.drainOrder, "stop signal for \(id) before its memory.high was lifted")
        }
        slots[place].lives[index].signalledAt = now
        slots[place].lives[index].grace = groups[id.group].policy.stopTimeout
    }

    private mutating func enterSignalLeftovers(_ id: IncarnationID) throws(Violation) {
        let (place, index) = try life(id, .signalLeftovers(id))
        let life = slots[place].lives[index]
        guard life.hasEnded else {
            throw violation(.removesTheDead, "signal for what \(id) leaves behind, while it lives")
        }
        if life.leftoversSignalledAt != nil {
            throw violation(.signalsOnce, "second stop signal for what \(id) left behind")
        }
        if killRequestedAt != nil || life.kills > 0 {
            throw violation(.secondStopKills, "what \(id) left behind gets grace after a kill")
        }
        slots[place].lives[index].leftoversSignalledAt = now
        slots[place].lives[index].grace = groups[id.group].policy.stopTimeout
    }

    private mutating func enterKill(_ id: IncarnationID) throws(Violation) {
        let (place, index) = try life(id, .kill(id))
        let life = slots[place].lives[index]
        if killRequestedAt == nil, !mayBeKilled(life) {
            throw violation(.graceKept, "kill of \(id) before its grace ended")
        }
        if life.hasEnded {
            slots[place].lives[index].purges += 1
        } else {
            slots[place].lives[index].kills += 1
            slots[place].lives[index].mustDieAtOnce = false
            slots[place].lives[index].killedAt = life.killedAt ?? now
        }
    }

    /// Its grace is over, or that of what it left behind.
    private func mayBeKilled(_ life: Life) -> Bool {
        if life.kills > 0 || life.purges > 0 || life.wasEmptied { return true }
        if life.hasEnded { return life.leftoversSignalledAt.map { now >= $0 + life.grace } ?? false }
        let allowance = life.cause == .memoryLimit ? Tempo.throttleAllowance : .zero
        if let signalledAt = life.signalledAt { return now >= signalledAt + life.grace + allowance }
        return !life.answered && life.leftAt.map { now >= $0 + life.grace } ?? false
    }

    private mutating func enterLimit(
        _ id: IncarnationID, _ bytes: UInt64?, isHigh: Bool, _ action: Action
    ) throws(Violation) {
        let (place, index) = try life(id, action)
        if let bytes, let measured = slots[place].lives[index].measured, bytes < measured.current {
            throw violation(.limitsAboveUse, "\(action) with \(measured.current) in use")
        }
        if isHigh {
            slots[place].lives[index].high = bytes
        } else if slots[place].lives[index].takesLimits, slots[place].lives[index].works {
            guard bytes == slots[place].lives[index].policy.memoryMax || slots[place].lives[index].high == nil
            else { throw violation(.limitsAboveUse, "\(action), which is not its limit") }
        } else if slots[place].lives[index].high != nil || slots[place].lives[index].signalledAt != nil {
            throw violation(.drainOrder, "\(action) not between lifting memory.high and the stop signal")
        } else if let maximum = slots[place].lives[index].policy.memoryMax, bytes ?? .max > maximum {
            throw violation(.drainOrder, "\(action) above the hard limit of \(maximum)")
        } else {
            slots[place].lives[index].maxIsBounded = true
        }
    }

    private mutating func enterRemoval(_ id: IncarnationID) throws(Violation) {
        let (place, index) = try life(id, .remove(id))
        guard slots[place].lives[index].hasEnded else {
            throw violation(.removesTheDead, "removal of \(id) before its end was told")
        }
        guard !slots[place].lives[index].removalAsked else {
            throw violation(.removesTheDead, "removal of \(id) while one is not answered")
        }
        slots[place].lives[index].removalAsked = true
    }

    // MARK: Timers

    private mutating func enterTimer(_ timer: TimerID, _ instant: Instant) throws(Violation) {
        switch timer {
        case .wires:
            wiresTimer = instant
        case .roll(let group):
            guard groups.indices.contains(group), groups[group].roll != nil, instant > now else {
                throw violation(.timersCleared, "a timer for a roll of group \(group), which has none")
            }
            groups[group].rollTimer = instant
        case .slot(let id):
            guard let place = layout.place(of: id) else {
                throw violation(.nothingForTheGone, "timer for slot \(id), which is not configured")
            }
            touch(place)
            let paced = slots[place].lastStart.map { $0 + Tempo.pace }
            guard instant == max(slots[place].earliest, paced ?? .origin), instant > now else {
                throw violation(.backOffKept, "slot \(id) waits until \(instant), which nothing asks for")
            }
            slots[place].timer = instant
        case .incarnation(let id):
            let (place, index) = try life(id, .setTimer(timer, instant))
            slots[place].lives[index].timer = instant
        case .span(let id, let span):
            let (place, index) = try life(id, .setTimer(timer, instant))
            try checkSpan(span, of: slots[place].lives[index], id, instant)
            slots[place].lives[index].spans[span] = instant
        }
    }

    /// A life ends at its group's longest, or up to a fifth sooner; one that is over already, within that fifth.
    private func checkSpan(
        _ span: Span, of life: Life, _ id: IncarnationID, _ instant: Instant
    ) throws(Violation) {
        switch span {
        case .lifetime: break
        case .excess:
            guard instant == now + groups[id.group].policy.memorySustain, life.works else {
                throw violation(.sustainKept, "\(id) may be above its limit until \(instant)")
            }
            return
        case .oom:
            guard instant == now + .seconds(1), life.works, life.policy.oomPolicy == .continue else {
                throw violation(.oomKillsTold, "an OOM kill of \(id) is to be told at \(instant)")
            }
            return
        }
        guard let maximum = life.policy.maximumLifetime, let start = life.startedAt else {
            throw violation(.livesNoLonger, "the life of \(id) is to end, though nothing limits it")
        }
        let latest = max(start + maximum, now + maximum / 5)
        let earliest = max(start + maximum * 4 / 5, now)
        guard instant >= earliest, instant <= latest else {
            throw violation(.livesNoLonger, "the life of \(id) is to end at \(instant), not \(latest)")
        }
    }

    private mutating func cancel(_ timer: TimerID) throws(Violation) {
        switch timer {
        case .wires: wiresTimer = nil
        case .roll(let group): if groups.indices.contains(group) { groups[group].rollTimer = nil }
        case .slot(let id):
            guard let place = layout.place(of: id) else { return }
            touch(place)
            try hurry(place)
            slots[place].timer = nil
        case .incarnation(let id):
            guard let (place, index) = find(id) else { return }
            touch(place)
            slots[place].lives[index].timer = nil
        case .span(let id, let span):
            guard let (place, index) = find(id) else { return }
            touch(place)
            slots[place].lives[index].spans[span] = nil
        }
    }

    private mutating func enterFinish(_ finished: Outcome) throws(Violation) {
        guard stoppedTold, finished == outcome, living == goneInThisStep else {
            throw violation(
                .finishesOnce, "finish with \(finished) while \(living) are left of \(outcome as Any)")
        }
        hasFinished = true
    }

    var goneInThisStep: Int {
        slots.reduce(0) { $0 + $1.lives.count(where: \.isGone) }
    }
}
