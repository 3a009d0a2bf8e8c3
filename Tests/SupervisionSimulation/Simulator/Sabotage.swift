import Supervision

/// A deliberate mistake between supervision and all who see its actions: one for each invariant, which must
/// then be the one that is found broken.
struct Saboteur {
    let target: Invariant
    private var isStopping = false
    private var signalled: Set<IncarnationID> = []
    /// One that never is given up, however often it was killed in vain.
    private var hostage: Hostage?
    private var ready: [SlotID: (IncarnationID, Int32)] = [:]
    private var rolling: [Int: Int] = [:]

    private struct Hostage {
        let id: IncarnationID
        let pid: Int32
        let since: Instant
        var end: Occurrence.End

        /// What is told when it ends after all.
        func told(_ exit: Exit, at now: Instant) -> [Action] {
            var end = end
            end.exit = exit
            end.lifetime += now - since
            var actions = [Action.report(.workerExited(id, pid: pid, end)), .remove(id)]
            if let memory = exit.memory, memory.oomKill > 0 {
                let scope: Occurrence.OOMScope = memory.oom > 0 ? .worker : .ancestor
                let killed = exit.status == .signal(9, coreDumped: false)
                actions.insert(
                    .report(.workerOOM(id, pid: pid, kills: memory.oomKill, scope, mainKilled: killed)), at: 0
                )
            }
            return actions
        }
    }

    init(_ target: Invariant) {
        self.target = target
    }

    mutating func alter(_ actions: inout [Action], _ event: Event, _ now: Instant) {
        for case .report(.supervisorStopping) in actions { isStopping = true }
        switch target {
        case .oneNotDraining: add(&actions) { if case .start(let id) = $0 { .start(id.next) } else { nil } }
        case .numbersRise: replace(&actions) { if case .start(let id) = $0 { .start(id.next) } else { $0 } }
        case .endsOnce: add(&actions) { if case .report(.workerExited) = $0 { $0 } else { nil } }
        case .endIsTrue:
            replace(&actions) { action in
                guard case .report(.workerExited(let id, let pid, var end)) = action else { return action }
                end.lifetime += .nanoseconds(1)
                return .report(.workerExited(id, pid: pid, end))
            }
        case .rightReason:
            replace(&actions) { action in
                guard case .report(.workerExited(let id, let pid, var end)) = action else { return action }
                end.reason = end.reason == .crashed ? .failed : .crashed
                return .report(.workerExited(id, pid: pid, end))
            }
        case .rightPredecessor:
            replace(&actions) { action in
                guard case .report(.workerStarted(let id, let pid, .some)) = action else { return action }
                return .report(.workerStarted(id, pid: pid, replaces: nil))
            }
        case .backOffKept:
            replace(&actions) { action in
                guard case .setTimer(.slot(let id), let instant) = action else { return action }
                return .setTimer(.slot(id), now + (instant - now) / 2)
            }
        case .paced: startUnpaced(&actions, event)
        case .nothingForTheGone:
            if case .incarnation(let id, .removed) = event { actions.append(.kill(id)) }
        case .intensityKept, .fatalBeforeReady: goOn(&actions)
        case .drainOrder:
            if actions.contains(where: { if case .signal = $0 { true } else { false } }) {
                drop(&actions) { if case .setMemoryHigh(_, nil) = $0 { true } else { false } }
            }
        case .killedAfterGrace:
            for case .signal(let id) in actions { signalled.insert(id) }
            if case .timer = event {
                drop(&actions) { if case .kill(let id) = $0 { signalled.contains(id) } else { false } }
            }
        case .graceKept: add(&actions) { if case .signal(let id) = $0 { .kill(id) } else { nil } }
        case .signalsOnce: add(&actions) { if case .signal = $0 { $0 } else { nil } }
        case .secondStopKills:
            if event == .kill { drop(&actions) { if case .kill = $0 { true } else { false } } }
        case .stopReachesAll:
            if event == .stop { drop(&actions) { if case .signal = $0 { true } else { false } } }
        case .endsInBoundedTime: keep(&actions, event, now)
        case .givesUpLate: giveUpEarly(&actions, event)
        case .noStartAfterStop:
            if isStopping, case .incarnation(let id, .exited) = event, !actions.isEmpty {
                actions.append(.start(id.next))
            }
        case .startsInFlight:
            let starts = actions.compactMap { if case .start(let id) = $0 { id } else { nil } }
            if starts.count == Tempo.startsInFlight, var last = starts.last {
                last.slot.slot += 1
                actions.append(.start(last))
            }
        case .drainingBounded: startTooMany(&actions)
        case .limitsAboveUse:
            replace(&actions) { action in
                guard case .setMemoryMax(let id, let bytes?) = action else { return action }
                return .setMemoryMax(id, bytes / 2)
            }
        case .recyclesAtLimit:
            let isAbove = actions.contains {
                if case .report(.workerMemoryLimit(_, _, let measurement, let limit)) = $0 {
                    measurement.unreclaimable > limit
                } else {
                    false
                }
            }
            if isAbove { actions = [] }
        case .wireGuards:
            if actions.contains(where: { if case .signal = $0 { true } else { false } }) { break }
            replace(&actions) { action in
                guard case .setMemoryHigh(let id, _) = action else { return action }
                return .setMemoryHigh(id, 1 << 60)
            }
        case .alarmsHeard: drop(&actions) { if case .measureMemory = $0 { true } else { false } }
        case .slidWireWatched: drop(&actions) { if case .setTimer(.wires, _) = $0 { true } else { false } }
        case .readiness: add(&actions) { if case .report(.workerReady) = $0 { $0 } else { nil } }
        case .slotsStaffed: drop(&actions) { if case .start = $0 { true } else { false } }
        case .nothingForgotten:
            drop(&actions) { if case .setTimer(.incarnation, _) = $0 { true } else { false } }
        case .removesTheDead: add(&actions) { if case .signal(let id) = $0 { .remove(id) } else { nil } }
        case .timersCleared:
            drop(&actions) { if case .cancelTimer(.incarnation) = $0 { true } else { false } }
        case .surgesWithRoom:
            add(&actions) { action in
                guard case .report(.workerReady(let id, let pid)) = action else { return nil }
                return .report(.workerYielding(id, pid: pid, .restart))
            }
        case .sustainKept:
            replace(&actions) { action in
                guard case .setTimer(.span(let id, .excess), let instant) = action else { return action }
                return .setTimer(.span(id, .excess), instant + .nanoseconds(1))
            }
        case .oomKillsTold:
            replace(&actions) { action in
                guard case .setTimer(.span(let id, .oom), let instant) = action else { return action }
                return .setTimer(.span(id, .oom), instant + .seconds(3600))
            }
        case .livesNoLonger:
            replace(&actions) { action in
                guard case .setTimer(.span(let id, .lifetime), let instant) = action else { return action }
                return .setTimer(.span(id, .lifetime), instant + .seconds(86400))
            }
        case .restsWhenDone:
            if actions.contains(.report(.supervisorStopping(.done))) {
                drop(&actions) { action in
                    switch action {
                    case .report(.supervisorStopping), .report(.supervisorStopped), .finish: true
                    default: false
                    }
                }
            }
        case .rollsInTurn, .rollsEach: stopOutOfTurn(&actions)
        case .rollStopsAtFailure:
            drop(&actions) { if case .report(.rollEnded(_, .failed)) = $0 { true } else { false } }
        case .rollGoesOn:
            drop(&actions) { if case .report(.rollEnded(_, .completed)) = $0 { true } else { false } }
        case .scalesAsAsked:
            replace(&actions) { action in
                guard case .report(.groupScaled(let group, let from, let to)) = action else { return action }
                return .report(.groupScaled(group: group, from: from, to: to + 1))
            }
        case .survivesTransfer: break  // Broken by a transfer that forgets.
        case .finishesOnce: add(&actions) { if case .finish = $0 { $0 } else { nil } }
        }
    }

    // MARK: Ways to alter

    /// Tells of a worker that it stops for a restart: in a roll of its group one too many, else without any roll.
    private mutating func stopOutOfTurn(_ actions: inout [Action]) {
        let isInRoll = target == .rollsInTurn
        let renewals = actions.count {
            if case .report(.workerStopping(_, _, .restart)) = $0 { true } else { false }
        }
        for (place, action) in actions.enumerated() {
            switch action {
            case .report(.workerReady(let id, let pid)):
                ready[id.slot] = (id, pid)
                guard !isInRoll, rolling.isEmpty else { break }
                actions.insert(.report(.workerStopping(id, pid: pid, .restart)), at: place + 1)
                return
            case .report(.workerExited(let id, _, _)): ready[id.slot] = nil
            case .report(.rollStarted(let group, let slots)): rolling[group] = slots
            case .report(.rollEnded(let group, _)): rolling[group] = nil
            case .report(.workerStopping(let id, _, let reason)):
                ready[id.slot] = nil
                guard isInRoll, reason == .restart, renewals == 1, rolling[id.group] ?? 0 >= 3 else { break }
                rolling[id.group] = nil
                let next = SlotID(group: id.group, slot: id.slot.slot + 1)
                guard let (other, pid) = ready[next] else { break }
                actions.insert(.report(.workerStopping(other, pid: pid, .restart)), at: place + 1)
                return
            default: break
            }
        }
    }

    private func drop(_ actions: inout [Action], _ isDropped: (Action) -> Bool) {
        actions.removeAll(where: isDropped)
    }

    private func replace(_ actions: inout [Action], _ change: (Action) -> Action) {
        for index in actions.indices { actions[index] = change(actions[index]) }
    }

    /// Puts another action behind some.
    private func add(_ actions: inout [Action], _ other: (Action) -> Action?) {
        actions = actions.flatMap { action in other(action).map { [action, $0] } ?? [action] }
    }

    /// What finished at once is started again at once.
    private func startUnpaced(_ actions: inout [Action], _ event: Event) {
        guard case .incarnation(let id, _) = event else { return }
        let backsOff = actions.contains { if case .report(.workerBackoff) = $0 { true } else { false } }
        guard !backsOff else { return }
        replace(&actions) { if case .setTimer(.slot, _) = $0 { .start(id.next) } else { $0 } }
    }

    /// A group that failed goes on.
    private func goOn(_ actions: inout [Action]) {
        let place = actions.firstIndex { action in
            switch action {
            case .report(.groupFailed(_, .tooManyFailures)): target == .intensityKept
            case .report(.groupFailed(_, .cannotRun)): target == .fatalBeforeReady
            default: false
            }
        }
        if let place { actions.removeSubrange(place...) }
    }

    /// A third incarnation beside two that still drain.
    private func startTooMany(_ actions: inout [Action]) {
        var leaving: IncarnationID?
        for action in actions {
            switch action {
            case .report(.workerStopping(let id, _, .memoryLimit)): leaving = id
            case .start, .setTimer(.slot, _): return
            default: break
            }
        }
        if let leaving { actions.append(.start(leaving.next)) }
    }

    private func giveUpEarly(_ actions: inout [Action], _ event: Event) {
        guard isStopping, case .timer(.incarnation(let id)) = event, actions.contains(.kill(id)) else {
            return
        }
        let isStuck = actions.contains { if case .report(.workerStuck) = $0 { true } else { false } }
        if !isStuck { actions.append(.report(.workerStuck(id, pid: nil, errno: 0, attempts: 1))) }
    }

    /// The first that would be given up is killed again and again instead, and all wait for it.
    private mutating func keep(_ actions: inout [Action], _ event: Event, _ now: Instant) {
        if hostage == nil {
            for case .report(.workerExited(let id, let pid?, let end)) in actions
            where end.exit == nil && end.failure == nil {
                hostage = Hostage(id: id, pid: pid, since: now, end: end)
                actions.append(.setTimer(.incarnation(id), now + Tempo.killRetry))
            }
        }
        guard let hostage else { return }
        drop(&actions) { action in
            switch action {
            case .report(.workerStuck(hostage.id, _, _, _)), .report(.workerExited(hostage.id, _, _)),
                .cancelTimer(.incarnation(hostage.id)), .report(.supervisorStopped), .finish:
                true
            default: false
            }
        }
        switch event {
        case .timer(.incarnation(hostage.id)):
            actions.append(.setTimer(.incarnation(hostage.id), now + Tempo.killRetry))
        case .incarnation(hostage.id, .exited(let exit)):
            actions += hostage.told(exit, at: now)
        default: break
        }
    }
}

extension IncarnationID {
    fileprivate var next: IncarnationID { IncarnationID(slot: slot, number: number + 1) }
}
