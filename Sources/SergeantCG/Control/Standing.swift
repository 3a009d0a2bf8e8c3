package import Supervision

/// How every worker stands, as the occurrences so far tell it: a value, so that an answer that is written in several
/// turns of the loop tells of one moment.
package struct Standing: Hashable, Codable, Sendable {
    /// One incarnation with a process.
    package struct Life: Hashable, Codable, Sendable {
        package var number: Int
        package var pid: Int32
        package var state: StatusReport.WorkerState
        /// What it said of itself.
        package var status: String?
        /// On the wall clock, microseconds since 1970.
        package var started: Int64
    }

    /// One slot.
    package struct Place: Hashable, Codable, Sendable {
        /// Oldest first; those before the last one are on their way out.
        package var lives: [Life] = []
        /// The number of the last incarnation.
        package var last = 0
        /// None follows.
        package var isOver = false
        /// How often an incarnation ended that was not stopped with all others.
        package var ends: [Reason: Int] = [:]

        var isReady: Bool { lives.contains { $0.state == .ready } }
    }

    /// One group.
    package struct Pool: Hashable, Codable, Sendable {
        package var desired: Int
        package var places: [Place]
        /// All of it was ready once.
        var wasReady = false

        package var ready: Int { places.count(where: \.isReady) }
    }

    package private(set) var pools: [Pool]
    private var wasReady = false
    package private(set) var isStopping = false

    /// - Parameter desired: how many workers each group is to have.
    package init(desired: [Int]) {
        pools = desired.map { Pool(desired: $0, places: Array(repeating: Place(), count: $0)) }
    }

    package var state: StatusReport.State {
        if isStopping { return .stopping }
        guard wasReady else { return .starting }
        return pools.allSatisfy { $0.ready >= $0.desired } ? .ready : .degraded
    }

    package func state(ofGroup index: Int) -> StatusReport.State {
        if isStopping { return .stopping }
        if pools[index].ready >= pools[index].desired { return .ready }
        return pools[index].wasReady ? .degraded : .starting
    }

    /// Takes in one occurrence.
    ///
    /// - Parameter now: on the wall clock, microseconds since 1970.
    package mutating func note(_ occurrence: Occurrence, at now: Int64) {
        switch occurrence {
        case .supervisorReady: wasReady = true
        case .supervisorStopping: isStopping = true
        case .workerStarted(let id, let pid, _), .workerAdopted(let id, let pid):
            change(id.slot) { place in
                place.last = id.number
                place.isOver = false
                place.lives.append(Life(number: id.number, pid: pid, state: .starting, started: now))
            }
        case .workerReady(let id, _):
            change(id) { $0.state = .ready }
            if pools[id.group].ready >= pools[id.group].desired { pools[id.group].wasReady = true }
        case .workerStopping(let id, _, _): change(id) { $0.state = .stopping }
        case .workerExited(let id, _, let end):
            change(id.slot) { place in
                place.last = max(place.last, id.number)
                place.lives.removeAll { $0.number == id.number }
                if end.reason != .shutdown { place.ends[end.reason, default: 0] += 1 }
            }
            dropSurplus(id.group)
        case .workerNotReplaced(let id, _): change(id) { $0.isOver = true }
        case .workerStatus(let id, _, let text): change(id) { $0.status = text }
        case .groupScaled(let group, _, let workers): scale(group, to: workers)
        default: break
        }
    }

    private mutating func scale(_ group: Int, to workers: Int) {
        while pools.count <= group { pools.append(Pool(desired: 0, places: [])) }
        pools[group].desired = workers
        while pools[group].places.count < workers { pools[group].places.append(Place()) }
        dropSurplus(group)
    }

    /// Slots that the group has no more, and whose last worker has ended, are not told of.
    private mutating func dropSurplus(_ group: Int) {
        while pools[group].places.count > pools[group].desired,
            pools[group].places.last?.lives.isEmpty == true
        {
            pools[group].places.removeLast()
        }
    }

    private mutating func change(_ id: SlotID, _ body: (inout Place) -> Void) {
        guard id.group >= 0, id.slot >= 1 else { return }
        // A group that grew.
        while pools.count <= id.group { pools.append(Pool(desired: 0, places: [])) }
        while pools[id.group].places.count < id.slot { pools[id.group].places.append(Place()) }
        body(&pools[id.group].places[id.slot - 1])
    }

    private mutating func change(_ id: IncarnationID, _ body: (inout Life) -> Void) {
        change(id.slot) { place in
            guard let index = place.lives.firstIndex(where: { $0.number == id.number }) else { return }
            body(&place.lives[index])
        }
    }
}
