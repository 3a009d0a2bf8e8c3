internal import CgroupKit
internal import Supervision

/// Workers that an earlier supervisor left running, which go on under this one.
extension Host {
    static func adoptees(_ workers: [Adoptee], _ names: Names) -> [IncarnationID: Adoptee] {
        var result: [IncarnationID: Adoptee] = [:]
        for worker in workers {
            guard let group = names.groups.firstIndex(where: { $0.name == worker.key.group })
            else { continue }
            result[IncarnationID(group: group, slot: worker.key.slot, number: worker.key.number)] = worker
        }
        return result
    }

    /// The next supervisor knows the worker by it, should this one be killed.
    func markLeftover(_ worker: Worker) {
        guard groups[worker.id.group].configuration.onLeftover == .adopt, let pid = worker.process?.pid else {
            return
        }
        Leftover.mark(worker.cgroup, main: pid)
    }

    /// What a start is to others. Where it fails, the worker is what an ended one left behind: signalled, then killed.
    func adopt(_ stored: Adoptee, as id: IncarnationID) {
        let group = groups[id.group]
        let worker: Worker
        do {
            worker = workers.admit(id, names.directory(id), try group.openCgroup(stored.key.directory))
            try group.limitAgain(worker.cgroup)
            if group.watchesMemory { try watchMemory(worker) }
            worker.pressure = try group.pressureTrigger(of: worker.cgroup)
            // At the path that the worker knows.
            if group.notifies { worker.socket = try makeNotifySocket(id) }
        } catch {
            return fail(id, StartFailure(isPermanent: false, sentence: startSentence(id, "\(error)")))
        }
        passOverRefusals(of: worker)
        watchProcesses(worker)
        let (pidfd, reports) = stored.release()
        guard let pidfd else { return }
        worker.process = PlacedProcess(adopting: stored.pid, pidfd: pidfd, statusPipe: nil)
        worker.isAdopted = true
        // What it said before, this image has not heard; ready it counts as anyway.
        worker.toldReady = true
        if let reports { worker.reports = ReportChannel(Descriptor(owning: reports)) }
        guard listen(to: worker) else { return }
        events.append(.incarnation(id, .adopted(pid: stored.pid, since: stored.since)))
    }
}
