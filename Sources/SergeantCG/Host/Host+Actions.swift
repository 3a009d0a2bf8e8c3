internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// Actions become system calls.
extension Host {
    func perform(_ action: Action) {
        switch action {
        case .start(let id): start(id)
        case .signal(let id): signal(id, groups[id.group].stopSignal)
        case .abort(let id): signal(id, SIGABRT)
        case .signalLeftovers(let id): signalLeftovers(id)
        case .kill(let id): kill(id)
        case .watchForEmptiness(let id): watchForEmptiness(id)
        case .measureMemory(let id): measureMemory(id)
        case .measureGroup(let group): measureGroup(group)
        case .lowerMemoryMax(let id, let bytes):
            if let worker = workers[id] { slowWrites.lowerMemoryMax(of: worker.cgroup, to: bytes, id) }
        case .setMemoryHigh(let id, let bytes):
            attempt(id) { (cgroup) throws(CgroupError) in try cgroup.setMemoryHigh(Limit(bytes)) }
        case .setMemoryMax(let id, let bytes):
            attempt(id) { (cgroup) throws(CgroupError) in try cgroup.setMemoryMax(Limit(bytes)) }
        case .observeMemoryEvents(let id, let observed): observeMemoryEvents(id, observed)
        case .remove(let id): remove(id)
        case .setTimer(let timer, let instant): timers.set(.supervision(timer), at: instant)
        case .cancelTimer(let timer): timers.cancel(.supervision(timer))
        case .report(let occurrence):
            if keepsAccount { keepAccount(of: occurrence) }
            tell(occurrence)
        case .finish(let outcome): self.outcome = outcome
        }
    }

    func start(_ id: IncarnationID) {
        startsThisTurn += 1
        if let adoptee = adoptees.removeValue(forKey: id) { return adopt(adoptee, as: id) }
        let group = groups[id.group]
        let worker: Worker
        do {
            let directory = names.directory(id)
            worker = workers.admit(id, directory, try group.makeCgroup(directory))
            try group.limit(worker.cgroup)
            if group.watchesMemory { try watchMemory(worker) }
            worker.pressure = try group.pressureTrigger(of: worker.cgroup)
        } catch {
            return fail(id, StartFailure(isPermanent: false, sentence: startSentence(id, error.description)))
        }
        watchProcesses(worker)
        if group.notifies {
            do { worker.socket = try makeNotifySocket(id) } catch {
                return fail(
                    id, StartFailure(isPermanent: false, sentence: startSentence(id, error.description)))
            }
        }
        var childEnd: Int32?
        if group.isSergeant {
            var ends: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0, &ends) == 0 else {
                let reason = "no socket pair for its reports: \(String(cString: strerror(errno)))"
                return fail(id, StartFailure(isPermanent: false, sentence: startSentence(id, reason)))
            }
            worker.reports = ReportChannel(Descriptor(owning: ends[0]))
            childEnd = ends[1]
        }
        defer { if let childEnd { close(childEnd) } }
        do {
            let process = try group.spawn(
                id.slot, in: worker.cgroup, names: names,
                environment: WorkerEnvironment.own(id, names: names, notifySocket: worker.socket?.path),
                report: childEnd, isCongested: congestion.isThere)
            worker.awaitsProgram = process.statusPipe != nil
            worker.process = consume process
        } catch {
            return fail(id, error)
        }
        markLeftover(worker)
        if let fault = group.output.takeFault() { tell(.hostTrouble(id, sentence: fault)) }
        guard listen(to: worker) else { return }
        if !worker.awaitsProgram, let pid = worker.process?.pid {
            events.append(.incarnation(id, .started(pid: pid)))
        }
    }

    /// Registers a new worker's descriptors. Without them it could not be supervised, so it must not live.
    func listen(to worker: Worker) -> Bool {
        let error = register(worker)
        guard error != 0 else { return true }
        kill(worker.id)
        reapFailedStart(worker)
        let reason = "its descriptors cannot be listened to: \(String(cString: strerror(error)))"
        fail(worker.id, StartFailure(isPermanent: false, sentence: startSentence(worker.id, reason)))
        return false
    }

    /// Only once its program runs, for before that nothing is read there.
    ///
    /// - Returns: 0, or the errno.
    func listenToNotifications(of worker: Worker) -> Int32 {
        guard let socket = worker.socket?.descriptor.number else { return 0 }
        return loop.add(socket, .readable, token: Self.token(.notification, worker.token))
    }

    /// - Returns: 0, or the errno.
    func register(_ worker: Worker) -> Int32 {
        guard let pidfd = worker.process?.pidfd else { return EBADF }
        let pipe = worker.process?.statusPipe
        var error = loop.add(pidfd, .ended, token: Self.token(.process, worker.token))
        if error == 0, let reports = worker.reports?.descriptor.number, worker.reports?.isClosed == false {
            error = loop.add(reports, .readable, token: Self.token(.report, worker.token))
        }
        if error == 0, !worker.awaitsProgram { error = listenToNotifications(of: worker) }
        if error == 0, let pressure = worker.pressure?.descriptor {
            error = loop.add(pressure, .pressure, token: Self.token(.pressure, worker.token))
        }
        if error == 0, worker.awaitsProgram, let pipe {
            error = loop.add(pipe, .readable, token: Self.token(.program, worker.token))
        }
        return error
    }

    func fail(_ id: IncarnationID, _ error: SpawnError) {
        fail(
            id,
            StartFailure(
                isPermanent: error.isProgramFault, sentence: startSentence(id, error.description)))
    }

    func fail(_ id: IncarnationID, _ failure: StartFailure) {
        events.append(.incarnation(id, .startFailed(failure)))
    }

    func startSentence(_ id: IncarnationID, _ reason: String) -> String {
        "could not start \(names.worker(id.slot)): \(reason)"
    }

    func signal(_ id: IncarnationID, _ signal: Int32) {
        guard let worker = workers[id], let pidfd = worker.process?.pidfd else { return }
        let result = linux_pidfd_send_signal(pidfd, signal)
        // ESRCH: it has ended, its exit is on its way.
        if result < 0, result != -ESRCH {
            tell(.hostTrouble(id, sentence: "cannot signal \(names.worker(id.slot)): errno \(-result)"))
        }
    }

    func signalLeftovers(_ id: IncarnationID) {
        attempt(id) { (cgroup) throws(CgroupError) in _ = try cgroup.signalAll(groups[id.group].stopSignal) }
    }

    func kill(_ id: IncarnationID) {
        guard let worker = workers[id] else { return }
        do {
            try worker.cgroup.kill()
        } catch {
            // The cgroup is gone or out of reach: the process itself can still be had.
            trouble(id, error)
            if let pidfd = worker.process?.pidfd {
                // ESRCH: it has ended already.
                _ = linux_pidfd_send_signal(pidfd, SIGKILL)
            }
        }
        // A kill is repeated while the answer is owed; without a watch that is when to look.
        if worker.asksForEmptiness { readEmptiness(id) }
    }

    /// Nil without the memory controller.
    func counters(_ worker: Worker) throws(CgroupError) -> MemoryCounters? {
        guard subtree.accountsMemory else { return nil }
        let events = try worker.cgroup.memoryEvents()
        return MemoryCounters(high: events.high, max: events.max, oom: events.oom, oomKill: events.oomKill)
    }

    func measureMemory(_ id: IncarnationID) {
        guard let worker = workers[id] else { return }
        do {
            let current = try worker.cgroup.memoryCurrent()
            let statistics = try worker.cgroup.memoryStat()
            events.append(
                .incarnation(
                    id,
                    .measured(MemoryMeasurement(current: current, unreclaimable: statistics.unreclaimable))))
        } catch {
            trouble(id, error)
        }
    }

    func measureGroup(_ index: Int) {
        // Where it cannot be known, there is no room.
        var measurement = MemoryMeasurement(current: .max, unreclaimable: .max)
        do { measurement = try groups[index].measure() } catch {
            tell(.hostTrouble(nil, sentence: error.description))
        }
        events.append(.groupMeasured(index, measurement))
    }

    func remove(_ id: IncarnationID) {
        guard let worker = workers[id] else {
            events.append(.incarnation(id, .removed))
            return
        }
        if let watch = worker.memoryWatch { unwatch(watch) }
        worker.memoryWatch = nil
        worker.pressure = nil
        unwatchEmptiness(worker)
        unwatchProcesses(worker)
        // It is to be read as long as it is there, and counts only when it is gone, whoever removed it.
        let account = completeAccount(of: worker)
        do { try groups[id.group].remove(worker.directory) } catch {
            guard [ENOENT, ENODEV].contains(error.errno) else {
                return events.append(.incarnation(id, .removalFailed(errno: error.errno)))
            }
        }
        if let account { tell(.workerAccounted(id, account)) }
        workers.dismiss(worker)
        events.append(.incarnation(id, .removed))
    }
}

extension ExitStatus {
    init(_ exit: ProcessExit) {
        switch exit {
        case .exited(let code): self = .code(code)
        case .signaled(let signal, let dumped): self = .signal(signal, coreDumped: dumped)
        }
    }
}

extension Limit {
    init(_ bytes: UInt64?) {
        self = bytes.map { .bytes($0) } ?? .max
    }
}
