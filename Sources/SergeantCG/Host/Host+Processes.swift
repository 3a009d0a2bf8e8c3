internal import CgroupKit
internal import Supervision

/// Forks that the kernel refused at `pids.max`, told once of each incarnation. Nothing is decided on it: what a worker
/// does without the process it asked for is its own affair.
extension Host {
    /// Has `pids.events` watched where there is a limit, and not where there is none.
    func watchProcesses(_ worker: Worker) {
        let isLimited = groups[worker.id.group].limits.pidsMax != nil
        guard isLimited, !worker.toldRefusals else { return unwatchProcesses(worker) }
        guard worker.processesWatch == nil else { return }
        do {
            let watch = try watcher.watch(worker.cgroup, "pids.events")
            worker.processesWatch = watch
            watches[watch] = .processes(worker.id)
        } catch {
            trouble(worker.id, error)
        }
    }

    func unwatchProcesses(_ worker: Worker) {
        guard let watch = worker.processesWatch else { return }
        worker.processesWatch = nil
        unwatch(watch)
    }

    /// At the end of a turn's events, so that a worker's start is told before what it does.
    func tellRefusals() {
        guard !refused.isEmpty else { return }
        for id in refused where workers[id] == nil || isStarted(id) {
            refused.remove(id)
            if let worker = workers[id] { tellRefusals(of: worker) }
        }
    }

    /// What an earlier supervisor has told already.
    func passOverRefusals(of worker: Worker) {
        worker.refusals = refusals(of: worker) ?? 0
    }

    /// Reads the counter again, and tells if it rose. A fork bomb would go on waking us, so it is heard no more then.
    ///
    /// - Returns: the counter; nil where there is no limit.
    @discardableResult
    func tellRefusals(of worker: Worker) -> UInt64? {
        guard let limit = groups[worker.id.group].limits.pidsMax, let pid = worker.process?.pid,
            let count = refusals(of: worker)
        else { return nil }
        guard count > worker.refusals, !worker.toldRefusals else { return count }
        worker.toldRefusals = true
        unwatchProcesses(worker)
        // Up to Linux 6.10 the counter rises for the limit of a cgroup above too; the peak never lies. It is Linux 6.1's.
        let peak = try? worker.cgroup.pidsPeak()
        tell(
            .workerPidsLimit(
                worker.id, pid: pid, refusals: count, limit: limit,
                peak.map { $0 < limit } == true ? .ancestor : .worker))
        return count
    }

    private func refusals(of worker: Worker) -> UInt64? {
        guard groups[worker.id.group].limits.pidsMax != nil else { return nil }
        do { return try worker.cgroup.pidsEvents().max } catch {
            trouble(worker.id, error)
            return nil
        }
    }

    private func isStarted(_ id: IncarnationID) -> Bool {
        let slot = supervision.view(of: id.slot)
        let all = (slot?.departing ?? []) + [slot?.current].compactMap(\.self)
        return all.first { $0.id == id }?.pid != nil
    }
}
