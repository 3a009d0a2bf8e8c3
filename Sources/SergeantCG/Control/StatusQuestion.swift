package import Supervision

/// An answer to `GetStatus` in the making. What a thousand cgroups use takes a while to read, so a few are asked in
/// each turn of the loop; how the workers stand is of the moment of the question.
package struct StatusQuestion {
    private var report: StatusReport
    /// The incarnations whose cgroups are still to be asked, the next one last.
    private var open: [(group: Int, worker: Int, id: IncarnationID)] = []

    /// - Parameters:
    ///   - limits: of the workers of each group, in the order of their numbers.
    package init(_ standing: Standing, names: Names, instance: String, pid: Int32, limits: [Limits]) {
        report = StatusReport(
            name: instance, pid: pid, version: Version.current, state: standing.state, cgroup: names.rootPath,
            groups: [])
        for (index, pool) in standing.pools.enumerated() {
            var group = StatusReport.Group(
                name: names.group(index), state: standing.state(ofGroup: index), desired: pool.desired,
                ready: pool.ready, workers: [])
            for (place, slot) in zip(pool.places, 1...) {
                let slot = SlotID(group: index, slot: slot)
                for life in place.lives {
                    let id = IncarnationID(slot: slot, number: life.number)
                    open.append((index, group.workers.count, id))
                    group.workers.append(Self.worker(id, life, place, names))
                }
                if place.lives.isEmpty, !standing.isStopping {
                    group.workers.append(Self.vacancy(slot, place, names))
                }
            }
            report.groups.append(group)
        }
        self.limits = limits
        open.reverse()
    }

    private let limits: [Limits]

    /// Asks some cgroups.
    ///
    /// - Returns: the answer, once all were asked.
    package mutating func ask(atMost count: Int, _ usage: (IncarnationID) -> StatusReport.Usage?)
        -> StatusReport?
    {
        for _ in 0..<count {
            guard let (group, worker, id) = open.popLast() else { break }
            // It has gone since: what it used is not known any more.
            guard let usage = usage(id) else { continue }
            var memory = usage.memory
            if limits.indices.contains(group) {
                memory?.limit = limits[group].memoryThreshold
                memory?.max = limits[group].memoryMax
            }
            report.groups[group].workers[worker].memory = memory
            report.groups[group].workers[worker].cpuMicroseconds = usage.cpuMicroseconds
            report.groups[group].workers[worker].pids = usage.processes
        }
        return open.isEmpty ? report : nil
    }

    private static func worker(
        _ id: IncarnationID, _ life: Standing.Life, _ place: Standing.Place, _ names: Names
    ) -> StatusReport.Worker {
        StatusReport.Worker(
            worker: names.worker(id.slot), slot: id.slot.slot, incarnation: id.number, pid: life.pid,
            state: life.state, status: life.status, cgroup: names.cgroup(id),
            started: LogLines.universalTime(
                Int(life.started / 1_000_000), nanoseconds: Int(life.started % 1_000_000) * 1000),
            restarts: restarts(place))
    }

    /// A slot without a process: its first worker is on its way, or its next one must wait.
    private static func vacancy(
        _ slot: SlotID, _ place: Standing.Place, _ names: Names
    ) -> StatusReport.Worker {
        StatusReport.Worker(
            worker: names.worker(slot), slot: slot.slot, incarnation: place.last,
            state: place.isOver ? .ended : place.last == 0 ? .starting : .waiting, restarts: restarts(place))
    }

    private static func restarts(_ place: Standing.Place) -> [String: Int] {
        var result = ["total": 0]
        for (reason, count) in place.ends {
            result[reason.rawValue] = count
            result["total", default: 0] += count
        }
        return result
    }
}
