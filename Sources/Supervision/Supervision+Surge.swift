/// Renewing a worker: its successor comes after it, or before it where the group surges and its memory allows.
extension Supervision {
    /// Stops a worker for this reason, or has it yield to its successor.
    mutating func renew(_ id: IncarnationID, _ reason: Reason, _ context: inout Context) {
        let policy = groups[id.group].policy
        // One that is not ready has no work to go on with.
        guard policy.surges(for: reason), slot(id.slot)?[id.number]?.phase == .ready else {
            return demand(.stop(reason), of: id, &context)
        }
        guard policy.groupMemoryMax != nil else { return demand(.yield(reason), of: id, &context) }
        // Whether there is room for one more is known once the group is measured.
        if let place = groups[id.group].surges.firstIndex(where: { $0.id == id }) {
            return groups[id.group].surges[place].add(reason)
        }
        groups[id.group].surges.append(Surge(id, reason))
        context.act(.measureGroup(id.group))
    }

    /// Decides on all that waited for this measurement.
    mutating func decideSurges(_ group: Int, _ measurement: MemoryMeasurement, _ context: inout Context) {
        guard groups.indices.contains(group) else { return }
        let waiting = groups[group].surges
        groups[group].surges = []
        let policy = groups[group].policy
        for surge in waiting where slot(surge.id.slot)?.current?.id == surge.id {
            let fits =
                policy.surges(for: surge.reason)
                && policy.hasRoom(
                    besides: measurement, ready: groups[group].ready, beginning: surgesUnderWay(group))
            demand(fits ? .yield(surge.reason) : .stop(surge.reason), of: surge.id, &context)
        }
    }

    /// Nobody is to be renewed for this reason any more.
    mutating func dropSurges(of group: Int, _ reason: Reason) {
        for place in groups[group].surges.indices.reversed() where !groups[group].surges[place].drop(reason) {
            groups[group].surges.remove(at: place)
        }
    }

    /// True where it was a roll's turn that waited for the measurement.
    mutating func forgetSurge(of id: IncarnationID) -> Bool {
        guard let place = groups[id.group].surges.firstIndex(where: { $0.id == id }) else { return false }
        return groups[id.group].surges.remove(at: place).reason == .restart
    }

    mutating func demand(_ demand: Incarnation.Demand, of id: IncarnationID, _ context: inout Context) {
        change(id.slot, &context) { $0.handle(demand, of: id.number, &$1) }
    }

    /// Successors that will use memory which no measurement shows yet.
    private func surgesUnderWay(_ group: Int) -> Int {
        groups[group].slots.count { $0.working.contains(where: \.isYielding) }
    }
}

/// A worker that waits to learn whether its successor may come before it goes.
struct Surge: Hashable, Codable, Sendable {
    let id: IncarnationID
    private var isOfRoll: Bool
    private var lifeIsOver: Bool

    init(_ id: IncarnationID, _ reason: Reason) {
        self.id = id
        isOfRoll = reason == .restart
        lifeIsOver = reason == .lifetime
    }

    /// A roll waits for its own.
    var reason: Reason { isOfRoll ? .restart : .lifetime }

    mutating func add(_ reason: Reason) {
        if reason == .restart { isOfRoll = true } else { lifeIsOver = true }
    }

    /// - Returns: false where nothing is left to wait for.
    mutating func drop(_ reason: Reason) -> Bool {
        if reason == .restart { isOfRoll = false } else { lifeIsOver = false }
        return isOfRoll || lifeIsOver
    }
}

extension GroupPolicy {
    fileprivate func surges(for reason: Reason) -> Bool { surges && restart.replaces(after: reason) }

    /// One more worker fits into the group's memory, beside what is in use and what others that begin will use.
    ///
    /// A worker may come to use its own limit; where it has none, what the ready ones use on average.
    func hasRoom(besides used: MemoryMeasurement, ready: Int, beginning: Int) -> Bool {
        guard let most = groupMemoryMax else { return true }
        guard used.unreclaimable <= most else { return false }
        let need = memoryMax ?? memoryThreshold ?? used.unreclaimable / UInt64(max(ready, 1))
        let (all, overflow) = need.multipliedReportingOverflow(by: UInt64(beginning) + 1)
        return !overflow && all <= most - used.unreclaimable
    }
}
