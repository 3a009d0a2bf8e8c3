import Supervision

/// What observers are told, entered and compared with what the ledger knows itself.
extension Ledger {
    mutating func enter(_ occurrence: Occurrence) throws(Violation) {
        switch occurrence {
        case .supervisorReady:
            guard !wasReady, !isStopping else {
                throw violation(.readiness, "the supervisor is said to be ready once more, or while it stops")
            }
            wasReady = true
            dues.supervisorReady = true
        case .supervisorStopping(let cause): try enterStop(cause)
        case .supervisorStopped(let told):
            guard told == outcome, !stoppedTold else {
                throw violation(.finishesOnce, "said to have stopped as \(told), expected \(outcome as Any)")
            }
            stoppedTold = true
        case .workerStarted(let id, let pid, let replaces): try enterStarted(id, pid, replaces)
        case .workerAdopted(let id, let pid): try enterAdopted(id, pid)
        case .workerReady(let id, let pid): try enterReady(id, pid)
        case .workerStopping(let id, _, let reason): try enterStopping(id, reason)
        case .workerYielding(let id, _, let reason): try enterYielding(id, reason)
        case .workerMemoryLimit(let id, _, let measurement, let limit):
            guard measurement.unreclaimable > limit - limit / 32 else {
                throw violation(.recyclesAtLimit, "\(id) said to be above \(limit) with \(measurement)")
            }
        case .workerExited(let id, let pid, let end): try enterExit(id, pid, end)
        case .workerStuck(let id, _, _, _): try enterStuck(id)
        case .workerBackoff(let id, let delay, let failures): try enterBackOff(id, delay, failures)
        case .workerPaced(let id):
            guard let place = layout.place(of: id), !slots[place].toldOfPace else {
                throw violation(.paced, "slot \(id) is said to be paced a second time")
            }
            slots[place].toldOfPace = true
        case .workerNotReplaced(let id, let reason):
            guard let place = layout.place(of: id), slots[place].rest == reason else {
                throw violation(.restsWhenDone, "slot \(id) is said to rest after \(reason), and should not")
            }
        case .groupFailed(let group, let failure): try enterGroupFailure(group, failure)
        case .groupScaled(let group, let before, let after):
            guard let due = dues.scaled, due == (group, before, after) else {
                throw violation(.scalesAsAsked, "\(occurrence), expected \(dues.scaled as Any)")
            }
            dues.scaled = nil
        case .rollStarted(let group, let slots):
            guard dues.rollStarted.removeValue(forKey: group) == slots else {
                throw violation(.rollsEach, "\(occurrence), which nothing asked for")
            }
        case .rollEnded(let group, let end): try enterRollEnd(group, end)
        case .workerOOM(let id, _, let kills, _, let mainKilled):
            guard event == .timer(.span(id, .oom)) else {
                dues.oom = occurrence
                break
            }
            let (place, index) = try known(id, .oomKillsTold)
            guard kills == slots[place].lives[index].counters.oomKill, !mainKilled else {
                throw violation(.oomKillsTold, "\(occurrence), with \(slots[place].lives[index].counters)")
            }
            slots[place].lives[index].oomKillsTold = kills
        case .supervisorStarted, .workerLeaving, .workerWatchdog, .workerStatus, .workerMemoryAlarm,
            .workerMemoryExcess, .workerMemoryPressure, .workerPidsLimit, .workerAccounted,
            .workerLeftovers, .hostTrouble, .hostNotice, .supervisorReloading, .supervisorUpgraded,
            .supervisorUpgradeRefused,
            .supervisorReloaded,
            .supervisorBroken:
            break
        }
    }

    private func known(_ id: IncarnationID, _ invariant: Invariant) throws(Violation) -> (Int, Int) {
        guard let found = find(id) else {
            throw violation(invariant, "\(id) is told of, which is gone or never was")
        }
        return found
    }

    // MARK: Start and readiness

    private mutating func enterStarted(
        _ id: IncarnationID, _ pid: Int32, _ replaces: Int32?
    ) throws(Violation) {
        let (place, index) = try known(id, .endsOnce)
        let life = slots[place].lives[index]
        guard life.pid == pid, !life.startTold else {
            throw violation(.endsOnce, "\(id) is said to have started twice, or with another process")
        }
        guard replaces == life.predecessor else {
            throw violation(
                .rightPredecessor,
                "\(id) replaces \(replaces as Any), expected \(life.predecessor as Any)")
        }
        slots[place].lives[index].startTold = true
        slots[place].lives[index].hasStartTimeout = groups[id.group].policy.startTimeout != nil
    }

    private mutating func enterAdopted(_ id: IncarnationID, _ pid: Int32) throws(Violation) {
        let (place, index) = try known(id, .endsOnce)
        guard slots[place].lives[index].pid == pid, !slots[place].lives[index].startTold else {
            throw violation(.endsOnce, "\(id) is said to be adopted twice, or with another process")
        }
        guard case .incarnation(id, .adopted) = event else {
            throw violation(.endsOnce, "\(id) is said to be adopted at \(event)")
        }
        slots[place].lives[index].startTold = true
    }

    private mutating func enterReady(_ id: IncarnationID, _ pid: Int32) throws(Violation) {
        let (place, index) = try known(id, .readiness)
        let life = slots[place].lives[index]
        guard life.readyAt == nil, life.pid == pid, life.isCurrent else {
            throw violation(.readiness, "\(id) is said to be ready twice, or while it leaves")
        }
        let expected: Event =
            switch life.policy.readiness {
            case .whenStarted: .incarnation(id, .started(pid: pid))
            case .whenReported: .incarnation(id, .ready)
            }
        if case .incarnation(id, .adopted(pid, _)) = event { return noteReady(id, place, index) }
        guard event == expected else {
            throw violation(.readiness, "\(id) is said to be ready at \(event)")
        }
        noteReady(id, place, index)
    }

    private mutating func noteReady(_ id: IncarnationID, _ place: Int, _ index: Int) {
        slots[place].lives[index].readyAt = now
        slots[place].isEstablished = true
        groups[id.group].wasReady = true
    }

    // MARK: The way out

    private mutating func enterYielding(_ id: IncarnationID, _ reason: Reason) throws(Violation) {
        let (place, index) = try known(id, .surgesWithRoom)
        let life = slots[place].lives[index]
        let policy = groups[id.group].policy
        guard policy.surges, life.isCurrent, life.readyAt != nil, life.yields == nil else {
            throw violation(.surgesWithRoom, "\(id) is said to yield, and should not")
        }
        if policy.groupMemoryMax != nil {
            guard case .groupMeasured(id.group, let used) = event, hasRoom(id.group, used) else {
                throw violation(.surgesWithRoom, "\(id) yields without room for its successor")
            }
        }
        switch (reason, event) {
        case (.restart, _): try enterRenewal(id)
        case (.lifetime, .timer(.span(let due, .lifetime))) where due == id: break
        case (.lifetime, .groupMeasured(let group, _)) where group == id.group && life.lifeIsOver(at: now):
            break
        default: throw violation(.rightReason, "\(id) is said to yield for \(reason) at \(event)")
        }
        leave(place, index, reason)
        slots[place].lives[index].leftAt = nil
        slots[place].lives[index].yields = reason
    }

    /// One worker more, at its limit, fits beside what is in use and those that just begin.
    private func hasRoom(_ group: Int, _ used: MemoryMeasurement) -> Bool {
        let policy = groups[group].policy
        guard let most = policy.groupMemoryMax, used.unreclaimable <= most else { return false }
        var beginning: UInt64 = 1
        for place in slots.indices where slots[place].id.group == group {
            beginning += UInt64(slots[place].lives.count { $0.yields != nil })
        }
        guard let need = policy.memoryMax ?? policy.memoryThreshold else { return true }
        return need * beginning <= most - used.unreclaimable
    }

    private mutating func enterStopping(_ id: IncarnationID, _ reason: Reason) throws(Violation) {
        let (place, index) = try known(id, .rightReason)
        let life = slots[place].lives[index]
        let isRight: Bool
        switch (reason, event) {
        case (.shutdown, _): isRight = isStopping
        case (.memoryLimit, .incarnation(let told, .measured)): isRight = told == id && life.works
        case (.memoryPressure, .incarnation(let told, .pressed)): isRight = told == id && life.works
        case (life.yields, .incarnation(let told, .ready)), (life.yields, .incarnation(let told, .started)),
            (life.yields, .incarnation(let told, .adopted)):
            isRight = told.slot == id.slot && slots[place].lives.last?.readyAt != nil
        case (.watchdog, _): isRight = false
        case (.startTimeout, .timer(.incarnation(let due))):
            isRight = due == id && life.isCurrent && life.readyAt == nil
        case (.lifetime, .timer(.span(let due, .lifetime))): isRight = due == id && life.isCurrent
        case (.lifetime, .groupMeasured(let group, _)):
            isRight = group == id.group && life.isCurrent && life.lifeIsOver(at: now)
        case (.scaleDown, .configure): isRight = life.works && !isWanted(id.slot)
        case (.scaleDown, _): isRight = life.cause == .scaleDown
        case (.restart, _):
            isRight = life.isCurrent
            if isRight { try enterRenewal(id) }
        default: isRight = false
        }
        guard isRight, life.cause == nil || life.cause == reason else {
            throw violation(.rightReason, "\(id) is said to stop for \(reason) at \(event)")
        }
        if reason == .memoryLimit, !life.takesLimits, !life.excessIsOver,
            groups[id.group].policy.memorySustain > .zero
        {
            throw violation(.sustainKept, "\(id) is recycled before it was above its limit for so long")
        }
        slots[place].lives[index].cause = reason
        if life.yields != nil { slots[place].lives[index].leftAt = now }
        slots[place].lives[index].yields = nil
        if life.isCurrent { leave(place, index, reason) }
    }

    private mutating func enterExit(
        _ id: IncarnationID, _ pid: Int32?, _ end: Occurrence.End
    ) throws(Violation) {
        let (place, index) = try known(id, .endsOnce)
        let life = slots[place].lives[index]
        if life.hasEnded { throw violation(.endsOnce, "\(id) is said to have ended twice") }
        let lived = life.startedAt.map { now - $0 } ?? .zero
        guard end.exit == life.exit, end.failure == life.failure, pid == life.pid, end.lifetime == lived,
            end.isLast == isStopping, dues.oom == Self.oom(of: life, id)
        else {
            throw violation(.endIsTrue, "the end of \(id) does not tell what the host told, after \(lived)")
        }
        dues.oom = nil
        let expected = life.cause ?? Self.reason(of: life, life.policy.conduct)
        guard end.reason == expected else {
            throw violation(.rightReason, "\(id) ended as \(end.reason), expected \(expected as Any)")
        }
        if end.exit == nil, end.failure == nil { try giveUp(id, life, isStopping) }
        slots[place].lives[index].hasEnded = true
        slots[place].lives[index].yields = nil
        slots[place].lives[index].isGone = life.isAbandoned
        let cannotRun = life.failure?.isPermanent ?? life.exit?.report?.cannotLoad ?? false
        if !isStopping {
            if end.reason == .stopRequested {
                dues.stopRequested = id
            } else if cannotRun, !groups[id.group].wasReady {
                dues.cannotRun = id
            }
        }
        if life.isCurrent { leave(place, index, end.reason) }
    }

    private func giveUp(_ id: IncarnationID, _ life: Life, _ isStopping: Bool) throws(Violation) {
        let patience = Tempo.killRetry * (Tempo.stuckAttempts - 1)
        guard isStopping, life.kills >= Tempo.stuckAttempts, let killedAt = life.killedAt,
            now >= killedAt + patience
        else {
            throw violation(.givesUpLate, "\(id) is given up after \(life.kills) kills")
        }
    }

    private mutating func enterStuck(_ id: IncarnationID) throws(Violation) {
        let (place, index) = try known(id, .givesUpLate)
        guard isStopping else { return }
        let life = slots[place].lives[index]
        if life.hasEnded {
            guard life.removalIsRefused || life.purges + life.failedRemovals >= Tempo.stuckAttempts else {
                throw violation(.givesUpLate, "what \(id) left behind is given up too soon")
            }
        } else {
            try giveUp(id, life, true)
            if life.exit == nil, life.failure == nil { slots[place].lives[index].isAbandoned = true }
        }
        slots[place].lives[index].isGone = life.hasEnded
    }

    /// What is to be told of processes that the kernel killed for memory.
    private static func oom(of life: Life, _ id: IncarnationID) -> Occurrence? {
        guard let pid = life.pid, let exit = life.exit, let memory = exit.memory,
            memory.oomKill > life.oomKillsTold
        else {
            return nil
        }
        return .workerOOM(
            id, pid: pid, kills: memory.oomKill, memory.oom > 0 ? .worker : .ancestor,
            mainKilled: exit.status == .signal(9, coreDumped: false))
    }

    /// What an exit says by itself.
    private static func reason(of life: Life, _ conduct: GroupPolicy.Conduct) -> Reason? {
        if life.failure != nil { return .startFailed }
        guard let exit = life.exit else { return nil }
        let byStatus: Reason =
            switch exit.status {
            case .code(0): .finished
            case .code, .unknown: .failed
            case .signal: .crashed
            }
        let told: Reason =
            if conduct == .sergeant, let code = exit.report?.returnCode {
                switch code {
                case 0: .finished
                case 4: .respawnRequested
                case 5: .stopRequested
                default: .failed
                }
            } else {
                byStatus
            }
        let isFailure = told == .failed || told == .crashed
        let isOOM = exit.memory.map { $0.oomKill > life.oomKillsTold } == true
        return isFailure && isOOM ? .oomKilled : told
    }

    /// The slot's working incarnation leaves: what its successor must wait for, worked out anew.
    private mutating func leave(_ place: Int, _ index: Int, _ reason: Reason) {
        slots[place].lives[index].isCurrent = false
        slots[place].lives[index].leftAt = now
        if Self.isFailure(reason) { slots[place].isEstablished = false }
        guard isWanted(slots[place].id) else { return }
        guard !isStopping, dues.cannotRun == nil, dues.stopRequested == nil else { return }
        let group = slots[place].id.group
        let policy = groups[group].policy
        noteInRoll(IncarnationID(slot: slots[place].id, number: slots[place].lives[index].number), reason)
        if Self.isFailure(reason), let limit = policy.intensity {
            groups[group].failures.removeAll { now - $0 > limit.window }
            groups[group].failures.append(now)
            if groups[group].failures.count > limit.maximumFailures {
                dues.tooManyFailures = groups[group].failures.count
                return
            }
        }
        guard replaces(reason, policy.restart) else {
            slots[place].rest = reason
            groups[group].roll?.pending.remove(slots[place].id.slot)
            groups[group].roll?.underWay.remove(slots[place].id.slot)
            return
        }
        let healthy = slots[place].lives[index].readyAt.map { now - $0 >= .seconds(10) } ?? false
        switch reason {
        case .finished, .respawnRequested, .stopRequested: slots[place].failures = 0
        default: if healthy { slots[place].failures = 0 }
        }
        slots[place].earliest = now
        guard Self.isFailure(reason), !healthy else { return }
        slots[place].failures += 1
        var base = policy.backOffInitial
        for _ in 1..<slots[place].failures where base < policy.backOffMaximum { base *= 2 }
        base = min(base, policy.backOffMaximum)
        guard base > .zero else { return }
        let low = base * 4 / 5
        slots[place].earliest = now + low
        dues.backOff.append((place, low, min(base * 6 / 5, policy.backOffMaximum), slots[place].failures))
    }

    static func isFailure(_ reason: Reason) -> Bool {
        switch reason {
        case .failed, .crashed, .oomKilled, .watchdog, .startTimeout, .startFailed: true
        default: false
        }
    }

    /// What ended is followed by another.
    func replaces(_ reason: Reason, _ restart: GroupPolicy.RestartPolicy) -> Bool {
        switch (restart, reason) {
        case (.always, _), (_, .restart): true
        case (.never, _), (_, .finished), (_, .respawnRequested), (_, .stopRequested): false
        case (.onFailure, _): true
        }
    }

    // MARK: Giving up, stopping

    private mutating func enterBackOff(
        _ id: SlotID, _ delay: Duration, _ failures: Int
    ) throws(Violation) {
        guard let due = dues.backOff.first, slots[due.place].id == id else {
            throw violation(.backOffKept, "slot \(id) backs off for \(delay), which nothing asks for")
        }
        dues.backOff.removeFirst()
        let slack: Duration = .nanoseconds(1)
        guard delay >= due.low - slack, delay <= due.high + slack, failures == due.failures else {
            throw violation(
                .backOffKept,
                "slot \(id) backs off for \(delay) after \(failures) failures, expected \(due.low) to "
                    + "\(due.high) after \(due.failures)")
        }
        slots[due.place].earliest = now + delay
    }

    private mutating func enterGroupFailure(
        _ group: Int, _ failure: Occurrence.GroupFailure
    ) throws(Violation) {
        guard !isStopping else { throw violation(.intensityKept, "group \(group) fails after the stop") }
        switch failure {
        case .tooManyFailures(let count, _):
            guard count == dues.tooManyFailures else {
                throw violation(
                    .intensityKept,
                    "group \(group) fails for \(count) failures, expected \(dues.tooManyFailures as Any)")
            }
            dues.tooManyFailures = nil
        case .cannotRun(let id):
            guard id == dues.cannotRun else {
                throw violation(.fatalBeforeReady, "group \(group) fails for \(id), which is not fatal")
            }
            dues.cannotRun = nil
        }
        dues.groupFailed = true
    }

    private mutating func enterStop(_ cause: Occurrence.StopCause) throws(Violation) {
        guard !isStopping else { throw violation(.finishesOnce, "a second stop is told") }
        switch cause {
        case .request:
            guard event == .stop || event == .kill else {
                throw violation(.finishesOnce, "a requested stop is told at \(event)")
            }
            outcome = .stopped
        case .done:
            guard let end = endOfWork else {
                throw violation(.restsWhenDone, "all is said to be done, and is not")
            }
            outcome = end
        case .worker(let id):
            guard dues.stopRequested == id else {
                throw violation(.finishesOnce, "\(id) is said to have asked for the stop")
            }
            outcome = .stopped
        case .failure:
            guard dues.groupFailed else {
                throw violation(.finishesOnce, "a stop for a failure that was not told")
            }
            outcome = .failed
        }
        if stoppedAt == nil {
            stoppedAt = now
            setBound()
        }
        dues.backOff.removeAll()
        for place in slots.indices {
            for index in slots[place].lives.indices where slots[place].lives[index].works {
                slots[place].lives[index].yields = nil
                slots[place].lives[index].isCurrent = false
                slots[place].lives[index].leftAt = now
                slots[place].lives[index].grace = groups[slots[place].id.group].policy.stopTimeout
                slots[place].lives[index].cause = .shutdown
            }
        }
    }
}
