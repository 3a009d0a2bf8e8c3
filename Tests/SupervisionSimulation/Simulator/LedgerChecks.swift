import Supervision

/// What must hold once a step is entered whole.
extension Ledger {
    /// What this step owed was paid.
    mutating func checkDues() throws(Violation) {
        if let scaled = dues.scaled { throw violation(.scalesAsAsked, "\(scaled) is not told") }
        if let due = dues.rollStarted.first {
            throw violation(.rollsEach, "a roll of group \(due.key) is not told to begin")
        }
        if let due = dues.rollFailed.first, !isStopping {
            throw violation(.rollStopsAtFailure, "the roll of group \(due.key) goes on after \(due.value)")
        }
        if let id = dues.looks.first { throw violation(.alarmsHeard, "nobody looks at \(id) after an alarm") }
        if let oom = dues.oom { throw violation(.endIsTrue, "\(oom) is told without an end") }
        if let count = dues.tooManyFailures {
            throw violation(.intensityKept, "\(count) failures within the window, and the group goes on")
        }
        if let id = dues.cannotRun {
            throw violation(.fatalBeforeReady, "\(id) cannot run, and its group goes on")
        }
        if let id = dues.stopRequested, !isStopping {
            throw violation(.stopReachesAll, "\(id) asked for the stop, and all goes on")
        }
        if dues.groupFailed, outcome != .failed {
            throw violation(.stopReachesAll, "a group failed, and all goes on")
        }
        if stoppedAt != nil, !isStopping {
            throw violation(.stopReachesAll, "the stop is not told")
        }
        if let due = dues.backOff.first {
            throw violation(.backOffKept, "slot \(slots[due.place].id) does not tell of its back-off")
        }
    }

    // MARK: A slot

    mutating func check(_ place: Int) throws(Violation) {
        for index in slots[place].lives.indices { try check(slots[place].lives[index], at: place) }
        for life in slots[place].lives where life.isGone {
            living -= 1
            if life.timer != nil {
                throw violation(
                    .timersCleared, "a timer stays for number \(life.number) of \(slots[place].id)")
            }
        }
        if slots[place].lives.contains(where: \.isGone) { slots[place].lives.removeAll(where: \.isGone) }
        count(place)
        if slots[place].timer != nil, isStopping || slots[place].lives.contains(where: \.isCurrent) {
            throw violation(.timersCleared, "the timer of slot \(slots[place].id) stays set")
        }
    }

    /// Brings the counts over all slots up to date.
    private mutating func count(_ place: Int) {
        let current = slots[place].lives.last(where: \.isCurrent)
        let mayRun = slots[place].lives.count(where: \.mayRun)
        let isWanted = isWanted(slots[place].id)
        let isStaffed =
            !isWanted || current != nil || slots[place].timer != nil || mayRun >= Tempo.drainingPerSlot
            || slots[place].rest != nil
        unstaffed += (isStaffed ? 0 : 1) - (slots[place].isStaffed ? 0 : 1)
        slots[place].isStaffed = isStaffed
        let isReady = current?.readyAt != nil || slots[place].lives.contains { $0.yields != nil }
        let group = slots[place].id.group
        if slots[place].isEstablished != slots[place].isCounted {
            groups[group].established += slots[place].isEstablished ? 1 : -1
            slots[place].isCounted = slots[place].isEstablished
        }
        if isReady != slots[place].isReady { groups[group].readySlots += isReady ? 1 : -1 }
        slots[place].isReady = isReady
        let isSlid = slots[place].lives.contains {
            guard $0.works, $0.answered, let threshold = $0.policy.memoryThreshold else { return false }
            return $0.high != threshold || !$0.observed
        }
        let slid = isSlid ? 1 : 0
        slidWires += slid - slots[place].slid
        slots[place].slid = slid
    }

    private func check(_ life: Life, at place: Int) throws(Violation) {
        let id = IncarnationID(slot: slots[place].id, number: life.number)
        if life.exit != nil || life.failure != nil, !life.hasEnded {
            throw violation(.endsOnce, "the end of \(id) is not told")
        }
        if life.pid != nil, !life.startTold {
            throw violation(.endsOnce, "the start of \(id) is not told")
        }
        if life.hasEnded {
            if let span = life.spans.first {
                throw violation(.timersCleared, "\(id) has ended, and \(span.key) runs on")
            }
            if !life.isGone, !life.removalAsked, life.timer == nil {
                throw violation(.nothingForgotten, "\(id) is neither being removed nor awaited")
            }
            if life.removalIsRefused, !life.isGone {
                throw violation(.endsInBoundedTime, "\(id), which may not be removed, is waited for")
            }
            if life.purges == 0, !life.wasEmptied, let since = life.leftoversSignalledAt,
                now > since + life.grace + Self.lateness
            {
                throw violation(.killedAfterGrace, "what \(id) left behind runs on after its grace")
            }
            return
        }
        if life.isCurrent { return try checkCurrent(life, id) }
        if life.yields != nil { return try checkYielding(life, id, at: place) }
        if let span = life.spans.first {
            throw violation(.timersCleared, "\(id) leaves, and \(span.key) runs on")
        }
        if life.timer == nil { throw violation(.nothingForgotten, "\(id) leaves without a deadline") }
        if life.answered, life.signalledAt == nil, life.kills == 0 {
            throw violation(.stopReachesAll, "\(id) does not learn that it is to stop")
        }
        if life.mustDieAtOnce || (killRequestedAt != nil && life.kills == 0) {
            throw violation(.secondStopKills, "\(id) is not killed at the second request")
        }
        if life.kills == 0, !life.answered, let since = life.leftAt,
            now > since + life.grace + Self.lateness
        {
            throw violation(.killedAfterGrace, "\(id), whose start is not answered, is not killed")
        }
        if life.kills == 0, let since = life.signalledAt {
            let allowance = life.cause == .memoryLimit ? Tempo.throttleAllowance : .zero
            let end = since + life.grace + allowance
            let isDue = event == .timer(.incarnation(id)) && now >= end && since < now
            if isDue || now > end + Self.lateness {
                throw violation(.killedAfterGrace, "\(id) runs on after its grace")
            }
        }
    }

    private func checkYielding(_ life: Life, _ id: IncarnationID, at place: Int) throws(Violation) {
        if isStopping { throw violation(.stopReachesAll, "\(id) works on after the stop") }
        if !isWanted(id.slot) {
            throw violation(.scalesAsAsked, "\(id) works on in a slot that was scaled down")
        }
        if slots[place].lives.last(where: \.isCurrent)?.readyAt != nil {
            throw violation(.surgesWithRoom, "\(id) works on beside its ready successor")
        }
        try checkMemory(life, id)
    }

    private func checkMemory(_ life: Life, _ id: IncarnationID) throws(Violation) {
        if life.policy.oomPolicy == .continue, life.counters.oomKill > life.oomKillsTold,
            life.spans[.oom] == nil
        {
            throw violation(.oomKillsTold, "an OOM kill of \(id) is never told")
        }
        if case .incarnation(id, .measured(let measurement)) = event {
            try checkWire(life, id, measurement, life.policy)
        }
    }

    private func checkCurrent(_ life: Life, _ id: IncarnationID) throws(Violation) {
        let policy = life.policy
        if !isWanted(id.slot) {
            throw violation(.scalesAsAsked, "\(id) works on in a slot that was scaled down")
        }
        if isStopping { throw violation(.stopReachesAll, "\(id) works on after the stop") }
        guard life.answered else { return }
        if policy.readiness == .whenStarted || event == .incarnation(id, .ready), life.readyAt == nil {
            throw violation(.readiness, "\(id) is ready, and nobody is told")
        }
        if life.policy.maximumLifetime != nil, life.spans[.lifetime] == nil,
            !groups[id.group].isBeingMeasured
        {
            throw violation(.livesNoLonger, "\(id) lives on for ever, or past its end")
        }
        if life.readyAt != nil, life.timer != nil {
            throw violation(.timersCleared, "\(id) is ready and has a deadline")
        }
        if life.readyAt == nil, life.hasStartTimeout, life.timer == nil {
            throw violation(.nothingForgotten, "\(id) may take for ever to be ready")
        }
        try checkMemory(life, id)
    }

    private func checkWire(
        _ life: Life, _ id: IncarnationID, _ measurement: MemoryMeasurement, _ policy: GroupPolicy
    ) throws(Violation) {
        guard let threshold = policy.memoryThreshold else { return }
        if life.spans[.excess] != nil {
            let hard = policy.memoryMax ?? .max
            if life.observed, measurement.current >= hard - hard / 16 {
                throw violation(.alarmsHeard, "\(id) storms at its hard limit with \(measurement)")
            }
            return
        }
        guard measurement.unreclaimable <= threshold else {
            throw violation(.recyclesAtLimit, "\(id) works on with \(measurement), threshold \(threshold)")
        }
        let hard = policy.memoryMax ?? .max
        let breach = max(measurement.current + threshold - measurement.unreclaimable, threshold)
        if life.high ?? hard > breach, life.high != life.highBefore {
            throw violation(.wireGuards, "the wire of \(id) stands beyond \(breach), the next breach")
        }
        if !life.observed, life.high != nil || measurement.current < hard - hard / 16 {
            throw violation(.alarmsHeard, "the alarms of \(id) are shut off with \(measurement)")
        }
    }

    // MARK: The whole

    mutating func checkWhole() throws(Violation) {
        if isStopping {
            if let rolling = groups.firstIndex(where: { $0.roll != nil || $0.rollTimer != nil }) {
                throw violation(.stopReachesAll, "group \(rolling) rolls on after the stop")
            }
            if wiresTimer != nil {
                throw violation(.timersCleared, "the shared tick stays set after the stop")
            }
            if living == 0, !hasFinished {
                throw violation(.finishesOnce, "nothing is left, and it does not finish")
            }
            if let bound, now > bound {
                throw violation(
                    .endsInBoundedTime, "\(living) left \(now - (stoppedAt ?? now)) after the stop")
            }
            return
        }
        guard hasBegun else { return }
        if unstaffed > 0, startsInFlight < Tempo.startsInFlight {
            throw violation(.slotsStaffed, "\(unstaffed) slots without a worker, and nothing awaited")
        }
        if slidWires > 0, wiresTimer == nil {
            throw violation(.slidWireWatched, "\(slidWires) wires are slid, and the tick is not set")
        }
        if slidWires == 0, wiresTimer != nil {
            throw violation(.slidWireWatched, "the tick is set, and no wire is slid")
        }
        if endOfWork != nil { throw violation(.restsWhenDone, "all is done, and it does not end") }
        try checkRolls()
        let areReady = groups.allSatisfy {
            $0.established >= min($0.policy.minimumReady ?? $0.wanted, $0.wanted)
        }
        if areReady, !wasReady {
            throw violation(.readiness, "all workers are ready, and the supervisor does not say so")
        }
        if dues.supervisorReady, !areReady {
            throw violation(.readiness, "the supervisor says ready with \(groups.map(\.established)) ready")
        }
    }

    /// How all ends, where every slot rests and nothing is left; nil where that is not so.
    var endOfWork: Outcome? {
        guard hasBegun, living == goneInThisStep else { return nil }
        var end: Outcome?
        for slot in slots where isWanted(slot.id) {
            guard let reason = slot.rest else { return nil }
            end = end == .failed || Self.isFailure(reason) ? .failed : .stopped
        }
        return end
    }

    /// Works out when all must have ended, even if no worker ever obeys or dies.
    ///
    /// With T for the longest grace and R for the time from a first kill in vain to giving up (four retries of
    /// two seconds), the longest ways are: a start answered just before its grace ends, a worker that leaves
    /// just before its own does, and leftovers that never die: 3 T + R; the same with a worker that dies just
    /// before it is given up: 2 T + 2 R; a start answered just before it is given up, and so on: T + 3 R. After
    /// a second request no T is left of these. A removal is answered six times at most.
    mutating func setBound() {
        guard let stoppedAt else { return }
        let retries = Tempo.killRetry * (Tempo.stuckAttempts - 1)
        let answers = Self.removalAnswer * 6 + Self.lateness * 20
        if let killRequestedAt {
            bound = killRequestedAt + retries * 3 + answers
        } else {
            let grace = longestGrace
            let longest = max(grace * 3 + retries, grace * 2 + retries * 2, grace + retries * 3)
            bound = stoppedAt + longest + answers
        }
    }
}
