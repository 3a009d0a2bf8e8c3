import Supervision

/// Rolling restarts and changes of a group's policy.
extension Ledger {
    // MARK: What was told

    mutating func note(_ restart: Restart, _ most: Int?) {
        switch restart {
        case .all: for group in groups.indices { expectRoll(group, nil, most) }
        case .group(let group): expectRoll(group, nil, most)
        case .slot(let id): expectRoll(id.group, id.slot, most)
        }
    }

    /// How many slots of a group that rolls may be without their worker.
    private func mostUnavailable(_ group: Int) -> Int {
        max(groups[group].roll?.most ?? groups[group].policy.maximumUnavailable, 1)
    }

    private mutating func expectRoll(_ group: Int, _ slot: Int?, _ most: Int? = nil, of wanted: Int? = nil) {
        guard hasBegun, !isStopping, groups.indices.contains(group) else { return }
        if let slot, slot < 1 || slot > groups[group].wanted { return }
        let chosen = slot.map { [$0] } ?? Array(1..<((wanted ?? groups[group].wanted) + 1))
        let woken = chosen.filter { wake(SlotID(group: group, slot: $0)) }
        if groups[group].roll == nil {
            groups[group].roll = RollAccount(pending: [])
            dues.rollStarted[group] = chosen.count
        }
        if let most { groups[group].roll?.most = most }
        groups[group].roll?.pending.formUnion(Set(chosen).subtracting(woken))
        groups[group].roll?.underWay.formUnion(woken)
    }

    /// A slot that rests is to have a worker again.
    private mutating func wake(_ id: SlotID) -> Bool {
        guard let place = layout.place(of: id), slots[place].rest != nil else { return false }
        touch(place)
        slots[place].rest = nil
        slots[place].earliest = now
        slots[place].failures = 0
        return true
    }

    mutating func note(_ group: Int, _ policy: GroupPolicy, rolls: Bool) {
        guard !isStopping, group >= 0, group <= groups.count else { return }
        if group == groups.count {
            var empty = policy
            empty.workers = 0
            groups.append(GroupAccount(policy: empty))
        }
        longestGrace = max(longestGrace, policy.stopTimeout)
        let before = groups[group].wanted
        let old = groups[group].policy
        groups[group].policy = policy
        let after = groups[group].wanted
        if before != after { dues.scaled = (group, before, after) }
        for slot in 1..<(layout.sizes[group] + 1) {
            guard let place = layout.place(of: SlotID(group: group, slot: slot)) else { continue }
            touch(place)
            if slot > after {
                slots[place].isEstablished = false
                slots[place].rest = nil
            }
            let wakes = slots[place].rest.map { replaces($0, policy.restart) } ?? false
            if slot <= after, slot > before || wakes {
                slots[place].earliest = now
                slots[place].failures = 0
                slots[place].rest = nil
            }
            if !rolls {
                noteChanges(from: old, to: policy, at: place)
            }
            guard slot > after, let index = slots[place].lives.lastIndex(where: \.isCurrent),
                !slots[place].lives[index].answered
            else { continue }
            slots[place].lives[index].isCurrent = false
            slots[place].lives[index].leftAt = now
            slots[place].lives[index].grace = policy.stopTimeout
            slots[place].lives[index].cause = .scaleDown
        }
        if var roll = groups[group].roll {
            roll.pending = roll.pending.filter { $0 <= after }
            roll.underWay = roll.underWay.filter { $0 <= after }
            groups[group].roll = roll
        }
        if rolls, min(before, after) > 0 { expectRoll(group, nil, of: min(before, after)) }
    }

    /// Workers that live on take on other limits, and another longest life.
    private mutating func noteChanges(from old: GroupPolicy, to new: GroupPolicy, at place: Int) {
        for index in slots[place].lives.indices where slots[place].lives[index].works {
            let life = slots[place].lives[index]
            if old.maximumLifetime != new.maximumLifetime {
                slots[place].lives[index].policy.maximumLifetime = new.maximumLifetime
            }
            guard old.memoryThreshold != new.memoryThreshold || old.memoryMax != new.memoryMax,
                isWanted(slots[place].id)
            else { continue }
            slots[place].lives[index].awaitsLimits = true
            if life.answered {
                dues.looks.insert(IncarnationID(slot: slots[place].id, number: life.number))
            }
        }
    }

    // MARK: What was done

    /// A worker is stopped so that its slot is renewed.
    mutating func enterRenewal(_ id: IncarnationID) throws(Violation) {
        guard let roll = groups[id.group].roll, roll.pending.contains(id.slot.slot) else {
            throw violation(
                .rollsEach,
                "\(id) is stopped for a restart that is not about it: \(groups[id.group].roll as Any)")
        }
        try renew(id.slot)
    }

    private mutating func renew(_ id: SlotID) throws(Violation) {
        let underWay = groups[id.group].roll?.underWay.filter { !works(id.group, $0) } ?? Set<Int>()
        let others = underWay.subtracting([id.slot])
        // Its turn came when the measurement was asked for.
        let waited = if case .groupMeasured = event { true } else { false }
        guard
            waited || others.count < mostUnavailable(id.group)
                || underWay.contains(id.slot)
        else {
            throw violation(.rollsInTurn, "slot \(id) is renewed while \(others.sorted()) just are")
        }
        groups[id.group].roll?.pending.remove(id.slot)
        groups[id.group].roll?.underWay.insert(id.slot)
    }

    /// A slot's wait was cut short; while its group rolls, that is its turn.
    mutating func hurry(_ place: Int) throws(Violation) {
        let id = slots[place].id
        guard !isStopping, groups.indices.contains(id.group),
            groups[id.group].roll?.pending.contains(id.slot) == true
        else { return }
        slots[place].earliest = now
        try renew(id)
    }

    /// What the end of a slot's working incarnation means to a roll that waits for it.
    mutating func noteInRoll(_ id: IncarnationID, _ reason: Reason) {
        guard groups[id.group].roll?.underWay.contains(id.slot.slot) == true else { return }
        switch reason {
        case .finished, .respawnRequested, .stopRequested:
            groups[id.group].roll?.underWay.remove(id.slot.slot)
        default: if Self.isFailure(reason) { dues.rollFailed[id.group] = (id, reason) }
        }
    }

    mutating func enterRollEnd(_ group: Int, _ end: Occurrence.RollEnd) throws(Violation) {
        guard groups.indices.contains(group), let roll = groups[group].roll else {
            throw violation(.rollsEach, "the end of a roll that was not under way: \(end)")
        }
        switch end {
        case .completed:
            let unknown = roll.underWay.filter { !works(group, $0) }
            guard roll.pending.isEmpty, unknown.isEmpty else {
                throw violation(.rollsEach, "a roll of group \(group) is done with \(roll) left")
            }
        case .failed(let id, let reason):
            guard let due = dues.rollFailed[group], due == (id, reason) else {
                throw violation(.rollStopsAtFailure, "\(end), which did not happen")
            }
            dues.rollFailed[group] = nil
        case .stopped:
            guard isStopping else { throw violation(.rollsEach, "a roll ends with a stop that is not told") }
        }
        groups[group].roll = nil
    }

    // MARK: Checks

    /// The slot's worker is ready, and where that means little has run for a while, as the roll's timer told.
    private func works(_ group: Int, _ slot: Int) -> Bool {
        guard let settles = settles(group, slot),
            let place = layout.place(of: SlotID(group: group, slot: slot)),
            let life = slots[place].lives.last(where: \.isCurrent)
        else { return false }
        return life.policy.readiness == .whenReported || settles <= groups[group].settledUntil
    }

    private func settles(_ group: Int, _ slot: Int) -> Instant? {
        guard let place = layout.place(of: SlotID(group: group, slot: slot)),
            let life = slots[place].lives.last(where: \.isCurrent), let readyAt = life.readyAt
        else { return nil }
        return life.policy.readiness == .whenReported ? readyAt : readyAt + .seconds(1)
    }

    mutating func checkRolls() throws(Violation) {
        for group in groups.indices {
            guard var roll = groups[group].roll else {
                guard groups[group].rollTimer == nil else {
                    throw violation(.timersCleared, "the timer of a roll of group \(group) stays set")
                }
                continue
            }
            roll.underWay = roll.underWay.filter { !works(group, $0) }
            groups[group].roll = roll
            if roll.pending.isEmpty, roll.underWay.isEmpty {
                throw violation(.rollGoesOn, "a roll of group \(group) has nothing left and does not end")
            }
            if !groups[group].isBeingMeasured, groups[group].rollTimer == nil,
                roll.underWay.contains(where: { settles(group, $0) != nil })
            {
                throw violation(.nothingForgotten, "a roll of group \(group) waits without a timer")
            }
            // Who waits to learn whether it may yield has its turn already.
            guard !groups[group].isBeingMeasured,
                roll.underWay.count < mostUnavailable(group)
            else { continue }
            let next = roll.pending.first { !roll.underWay.contains($0) && canBeRenewed(group, $0) }
            if let next {
                throw violation(.rollGoesOn, "slot \(next) of group \(group) could be renewed, and is not")
            }
        }
    }

    private func canBeRenewed(_ group: Int, _ slot: Int) -> Bool {
        guard let place = layout.place(of: SlotID(group: group, slot: slot)) else { return false }
        if slots[place].timer != nil { return true }
        return slots[place].lives.last(where: \.isCurrent)?.answered ?? false
    }
}
