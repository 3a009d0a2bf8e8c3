internal import CgroupKit
internal import Glibc
internal import Supervision

/// What one image of the program hands to the next, and how that one takes it up.
extension Host {
    /// All that the next image must know. Nothing is changed by asking for it.
    ///
    /// - Throws: what an observer or a part of the loop could not remember.
    func upgradeState() throws -> UpgradeState {
        var memories: [String: UpgradeMemory] = [:]
        for one in rememberers { memories[one.memoryName] = try one.remember() }
        return UpgradeState(
            version: Version.current, groups: groups.map(\.configuration), supervision: supervision,
            timers: timers.pending.compactMap { id, deadline in
                if case .supervision(let timer) = id { .init(id: timer, deadline: deadline) } else { nil }
            },
            workers: workers.all.map { $0.memory() }, subtree: subtree.memory, sockets: sockets.all,
            stopWasAsked: stopWasAsked, openFileLimit: OpenFileLimit.found,
            oomScoreAdjustment: OOMScore.found, memories: memories)
    }

    /// Everyone whose memory lives through an upgrade.
    private var rememberers: [any Remembering] {
        var seen: Set<ObjectIdentifier> = []
        return (observers as [AnyObject] + parts as [AnyObject]).compactMap { one in
            // One that observes and is on the loop too is there twice.
            guard seen.insert(ObjectIdentifier(one)).inserted else { return nil }
            return one as? any Remembering
        }
    }

    /// Reminds everyone, before anyone joins the loop.
    func recallMemories(of state: UpgradeState) {
        for one in rememberers {
            if let memory = state.memories[one.memoryName] { one.recall(memory) }
        }
    }

    /// Goes on where the image before stopped: the same timers, the same workers, and a look at everything that may
    /// have changed meanwhile.
    ///
    /// - Throws: ``SupervisorError`` where the workers cannot be watched.
    func resume(_ state: UpgradeState) throws(SupervisorError) {
        stopWasAsked = state.stopWasAsked
        for timer in state.timers { timers.set(.supervision(timer.id), at: timer.deadline) }
        for memory in state.workers { try resume(memory) }
        if state.workers.contains(where: { $0.socket != nil }) {
            // It is there: found, so that it is removed at the end.
            notifyDirectory = try NotifyDirectory(number: subtree.number)
        }
        // SIGCHLD may have come for an orphan that the image before did not get to reap.
        childEnded = Signals.adoptsOrphans
        tell(.supervisorUpgraded(from: state.version))
    }

    private func resume(_ memory: UpgradeState.WorkerMemory) throws(SupervisorError) {
        let cgroup = Cgroup(path: memory.cgroupPath, adopting: memory.cgroup)
        let worker = workers.admit(memory.id, memory.directory, cgroup)
        if let process = memory.process {
            worker.process = PlacedProcess(
                adopting: process.pid, pidfd: process.pidfd, statusPipe: process.statusPipe)
        }
        worker.awaitsProgram = memory.awaitsProgram
        worker.toldReady = memory.toldReady
        worker.asksForEmptiness = memory.asksForEmptiness
        worker.isAdopted = memory.isAdopted ?? false
        worker.startFailure = memory.startFailure
        worker.account = memory.account
        if let reports = memory.reports { worker.reports = ReportChannel(reports) }
        if let socket = memory.socket {
            worker.socket = WorkerSocket(adopting: socket.descriptor, path: socket.path)
        }
        worker.status = memory.status
        worker.toldNotifyFault = memory.toldNotifyFault
        // A pidfd that is readable already is told of at once: who died meanwhile is noticed.
        if worker.process != nil {
            do {
                worker.pressure = try groups[worker.id.group].pressureTrigger(of: worker.cgroup)
            } catch { trouble(worker.id, error) }
            let error = register(worker)
            guard error == 0 else {
                throw SupervisorError(
                    .system,
                    "cannot listen to the descriptors of \(names.worker(worker.id.slot)): errno \(error)")
            }
        }
        if memory.watchesMemory {
            do { try watchMemory(worker) } catch { trouble(worker.id, error) }
            // What happened before it was watched anew.
            readCounters(worker.id)
        }
        worker.refusals = memory.refusals ?? 0
        worker.toldRefusals = memory.toldRefusals ?? false
        if worker.process != nil {
            watchProcesses(worker)
            // As above.
            refused.insert(worker.id)
        }
        if memory.watchesEmptiness { watchForEmptiness(worker.id) }
    }
}

extension Worker {
    fileprivate func memory() -> UpgradeState.WorkerMemory {
        var remembered: UpgradeState.Process?
        if let pid = process?.pid, let pidfd = process?.pidfd {
            remembered = UpgradeState.Process(pid: pid, pidfd: pidfd, statusPipe: process?.statusPipe)
        }
        var notifySocket: UpgradeState.Socket?
        if let descriptor = socket?.descriptor.number, let path = socket?.path {
            notifySocket = UpgradeState.Socket(descriptor: descriptor, path: path)
        }
        return UpgradeState.WorkerMemory(
            id: id, directory: directory, cgroupPath: cgroup.path, cgroup: cgroup.descriptor,
            process: remembered,
            awaitsProgram: awaitsProgram, reports: reports?.memory, toldReady: toldReady,
            socket: notifySocket, status: status, toldNotifyFault: toldNotifyFault,
            watchesMemory: memoryWatch != nil, watchesEmptiness: emptinessWatch != nil,
            asksForEmptiness: asksForEmptiness, isAdopted: isAdopted ? true : nil, startFailure: startFailure,
            account: account, refusals: refusals, toldRefusals: toldRefusals)
    }
}
