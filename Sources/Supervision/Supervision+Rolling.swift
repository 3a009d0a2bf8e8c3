/// Rolling restarts: the workers of a group are renewed a few at a time, each only when those before it work.
extension Supervision {
    mutating func restart(_ restart: Restart, _ most: Int?, _ context: inout Context) {
        switch restart {
        case .all: for group in groups.indices { roll(group, nil, most, &context) }
        case .group(let group): roll(group, nil, most, &context)
        case .slot(let id): roll(id.group, [id.slot], most, &context)
        }
    }

    /// - Parameters:
    ///   - slots: nil for all that are to hold a worker.
    ///   - most: so many may be without their worker at a time; nil leaves it as it is.
    mutating func roll(_ group: Int, _ slots: [Int]?, _ most: Int?, _ context: inout Context) {
        guard state == .running, groups.indices.contains(group) else { return }
        let wanted = 1..<(groups[group].desired + 1)
        let chosen = (slots ?? Array(wanted)).filter { wanted.contains($0) }
        guard slots == nil || !chosen.isEmpty else { return }
        // Who rests has no worker to be replaced: it is started at once, and waited for.
        let woken = chosen.filter { groups[group].slots[$0 - 1].rest != nil }
        // Whose turn it is already waits for a measurement.
        let waiting = groups[group].surges.filter { $0.reason == .restart }.map(\.id.slot.slot)
        let working = chosen.filter { !woken.contains($0) && !waiting.contains($0) }
        defer {
            if let most { groups[group].roll?.maximumUnavailable = most }
            for slot in woken { revive(SlotID(group: group, slot: slot), &context) }
        }
        // Who does not work anyway goes first: that costs nothing, and shows whether a new one would.
        let isReady = { [slots = groups[group].slots] (number: Int) in slots[number - 1].standing.isReady }
        let ordered = working.filter { !isReady($0) } + working.filter(isReady)
        guard groups[group].roll != nil else {
            groups[group].roll = Roll(ordered, underWay: woken)
            context.report(.rollStarted(group: group, slots: chosen.count))
            return
        }
        // Those just renewed are not ready, so to renew them anew costs nothing; they may be why it was asked.
        let underWay = groups[group].roll?.underWay ?? []
        let atOnce = underWay.filter { working.contains($0) && canRenew(group, $0) }
        groups[group].roll?.join(ordered, atOnce: atOnce, woken: woken)
        for slot in atOnce { renew(SlotID(group: group, slot: slot), surging: false, &context) }
    }

    /// Lets every roll go as far as it can.
    mutating func rollOn(_ context: inout Context) {
        for group in groups.indices where groups[group].roll != nil { rollOn(group, &context) }
    }

    private mutating func rollOn(_ group: Int, _ context: inout Context) {
        let settled = groups[group].roll?.underWay.filter { works(group, $0) } ?? []
        groups[group].roll?.underWay.removeAll { settled.contains($0) }
        let limit = max(
            groups[group].roll?.maximumUnavailable ?? groups[group].policy.maximumUnavailable, 1)
        while let roll = groups[group].roll, roll.underWay.count < limit,
            let place = roll.pending.firstIndex(where: {
                !roll.underWay.contains($0) && canRenew(group, $0)
            })
        {
            let slot = roll.pending[place]
            groups[group].roll?.pending.remove(at: place)
            groups[group].roll?.underWay.append(slot)
            renew(SlotID(group: group, slot: slot), &context)
        }
        if groups[group].roll?.isDone == true { return endRoll(group, .completed, &context) }
        setRollTimer(group, &context)
    }

    /// A start that is awaited, or asked of the host and not answered, goes first: the slot's turn comes after it.
    private func canRenew(_ group: Int, _ slot: Int) -> Bool {
        let slot = groups[group].slots[slot - 1]
        if case .until = slot.waiting { return true }
        return slot.current.map { $0.phase != .starting } ?? false
    }

    /// Stops the slot's worker and starts its successor; a slot that waits out a back-off waits no longer.
    private mutating func renew(_ id: SlotID, surging: Bool = true, _ context: inout Context) {
        if let current = slot(id)?.current {
            if surging {
                renew(current.id, .restart, &context)
            } else {
                _ = forgetSurge(of: current.id)
                demand(.stop(.restart), of: current.id, &context)
            }
        } else {
            context.policy = groups[id.group].policy
            if tallied(id, { $0.hurry(&context) }) { requestStart(id, &context) }
        }
    }

    /// The slot's new worker is known to work: it said so, or has run for a while.
    private func works(_ group: Int, _ slot: Int) -> Bool {
        guard let roll = groups[group].roll, let settles = settles(group, slot) else { return false }
        // By the roll's own timer, never by whatever event happens to come after that is due.
        return groups[group].slots[slot - 1].current?.readiness == .whenReported
            || settles <= roll.settledUntil
    }

    /// When the slot's new worker will be known to work, where only time can tell.
    private func settles(_ group: Int, _ slot: Int) -> Instant? {
        guard let current = groups[group].slots[slot - 1].current, current.phase == .ready,
            !groups[group].surges.contains(where: { $0.id == current.id && $0.reason == .restart }),
            let readyAt = current.readyAt
        else { return nil }
        return current.readiness == .whenReported ? readyAt : readyAt + Tempo.rollSettling
    }

    /// What the end of a worker means to a roll that waits for it.
    mutating func noteInRoll(_ incarnation: Incarnation, _ reason: Reason, _ context: inout Context) {
        let id = incarnation.id
        guard let roll = groups[id.group].roll, roll.underWay.contains(id.slot.slot) else { return }
        if forgetSurge(of: id) {
            // It went before it was known whether its successor may come first: its turn is still to come.
            groups[id.group].roll?.putBack(id.slot.slot)
            return
        }
        switch reason.weight {
        case .failure: endRoll(id.group, .failed(id, reason), &context)
        // It did its work: that is all a program can show that ends so soon.
        case .success: groups[id.group].roll?.underWay.removeAll { $0 == id.slot.slot }
        // Stopped by this very roll, or recycled: its successor is waited for.
        case .recycle: break
        }
    }

    mutating func endRoll(_ group: Int, _ end: Occurrence.RollEnd, _ context: inout Context) {
        if groups[group].roll?.timer != nil { context.act(.cancelTimer(.roll(group: group))) }
        groups[group].roll = nil
        dropSurges(of: group, .restart)
        context.report(.rollEnded(group: group, end))
    }

    mutating func endSettling(_ group: Int, _ context: inout Context) {
        guard groups.indices.contains(group), let due = groups[group].roll?.timer, context.now >= due else {
            return
        }
        groups[group].roll?.timer = nil
        groups[group].roll?.settledUntil = context.now
    }

    private mutating func setRollTimer(_ group: Int, _ context: inout Context) {
        guard let roll = groups[group].roll else { return }
        let next = roll.underWay.compactMap { settles(group, $0) }.min()
        guard next != roll.timer else { return }
        // One that is due already comes by itself, and what else is due by then is seen with it.
        if next != nil, let timer = roll.timer, timer <= context.now { return }
        groups[group].roll?.timer = next
        context.act(next.map { .setTimer(.roll(group: group), $0) } ?? .cancelTimer(.roll(group: group)))
    }
}

/// Another policy: more workers, fewer, or others.
extension Supervision {
    mutating func configure(_ index: Int, _ policy: GroupPolicy, rolls: Bool, _ context: inout Context) {
        guard !isStopping, groups.indices.contains(index) || index == groups.count else { return }
        if index == groups.count {
            var empty = policy
            empty.workers = 0
            groups.append(Group(index: index, policy: empty))
        }
        let before = groups[index].desired
        let limitsDiffer = groups[index].policy.limitsDiffer(from: policy)
        let livesDiffer = groups[index].policy.maximumLifetime != policy.maximumLifetime
        groups[index].policy = policy
        groups[index].resize(to: policy.workers, index: index)
        let after = groups[index].desired
        if before != after { context.report(.groupScaled(group: index, from: before, to: after)) }
        groups[index].roll?.drop(after: after)
        for slot in groups[index].slots.indices.dropFirst(after) {
            retire(SlotID(group: index, slot: slot + 1), &context)
        }
        if limitsDiffer, !rolls { demandOfWorking(in: index, &context) { _ in .limit } }
        if livesDiffer, !rolls {
            dropSurges(of: index, .lifetime)
            demandOfWorking(in: index, &context) { random in
                .live(policy.maximumLifetime.map { Lifespan(maximum: $0, random: &random) })
            }
        }
        if state == .running {
            for slot in groups[index].slots.indices.prefix(after)
            where slot >= before || groups[index].slots[slot].rest.map(policy.restart.replaces) == true {
                revive(SlotID(group: index, slot: slot + 1), &context)
            }
        }
        if rolls, min(before, after) > 0 { roll(index, Array(1...min(before, after)), nil, &context) }
    }

    /// Workers that go on are held to other limits than they were started with.
    private mutating func demandOfWorking(
        in group: Int, _ context: inout Context, _ demand: (inout SplitMix64) -> Incarnation.Demand
    ) {
        for slot in groups[group].slots {
            for worker in slot.working {
                let demand = demand(&random)
                change(slot.id, &context) { $0.handle(demand, of: worker.id.number, &$1) }
            }
        }
    }

    private mutating func retire(_ id: SlotID, _ context: inout Context) {
        context.policy = groups[id.group].policy
        let consequences = tallied(id) { slot in
            slot.retire(&context)
            return slot.working.map { slot.handle(.stop(.scaleDown), of: $0.id.number, &context) }
        }
        for consequences in consequences { follow(consequences, id, &context) }
    }

    private mutating func revive(_ id: SlotID, _ context: inout Context) {
        context.policy = groups[id.group].policy
        let mayStart = tallied(id) { slot in
            slot.revive()
            return slot.hurry(&context)
        }
        if mayStart { requestStart(id, &context) }
    }
}

extension GroupPolicy {
    /// A living worker would be held to other limits.
    fileprivate func limitsDiffer(from other: GroupPolicy) -> Bool {
        memoryThreshold != other.memoryThreshold || memoryMax != other.memoryMax
    }
}
