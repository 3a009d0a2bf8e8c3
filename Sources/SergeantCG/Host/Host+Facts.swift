internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// Kernel facts become events.
extension Host {
    func takeSignals() {
        while let arrival = signals?.next() {
            switch arrival.signal {
            case SIGCHLD:
                childEnded = true
                continue
            case SIGUSR2:
                requestUpgrade()
                continue
            case SIGHUP where !isFarewell(arrival) && parts.contains(where: { $0.takesHangup() }):
                continue
            case SIGINT where stopWasAsked: events.append(.kill)
            case SIGQUIT: events.append(.kill)
            case SIGINT:
                tell(.hostNotice(sentence: "SIGINT was received: the same again kills the workers at once"))
                events.append(.stop)
            default: events.append(.stop)
            }
            stopWasAsked = true
        }
    }

    /// A SIGHUP that means the end of the terminal, told by the kernel or by the shell there, is a request to stop; one
    /// from anybody else asks to read the configuration again (daemon(7)).
    private func isFarewell(_ arrival: SignalSource.Arrival) -> Bool {
        if arrival.isFromKernel { return true }
        guard arrival.sender == getppid() else { return false }
        let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else { return false }
        close(terminal)
        return true
    }

    private func requestUpgrade() {
        guard let upgrade else {
            return tell(
                .hostNotice(sentence: "SIGUSR2 was received: only the program itself can be upgraded by it"))
        }
        upgrade.request()
    }

    func takeStopRequest() {
        var count: UInt64 = 0
        // EAGAIN: another wake-up has read it.
        _ = read(stopRequest, &count, 8)
        stopWasAsked = true
        events.append(.stop)
    }

    func takeTimers() {
        timers.acknowledge()
        let now = Instant.now()
        while let timer = timers.next(due: now) {
            switch timer {
            case .supervision(let id): events.append(.timer(id))
            case .part(let index, let key): parts[index].timerIsDue(key)
            }
        }
    }

    func takeWatches() {
        var changed: [Int32] = []
        var missed = false
        do {
            try watcher.drain { event in
                switch event {
                case .modified(let watch): changed.append(watch)
                case .overflow: missed = true
                case .removed(let watch): watches[watch] = nil
                }
            }
        } catch {
            tell(.hostTrouble(nil, sentence: error.description))
        }
        if missed { changed = Array(watches.keys) }
        for watch in changed {
            switch watches[watch] {
            case .memory(let id): readCounters(id)
            case .emptiness(let id): readEmptiness(id)
            case .processes(let id): refused.insert(id)
            case nil: break
            }
        }
    }

    func readCounters(_ id: IncarnationID) {
        guard let worker = workers[id] else { return }
        do {
            guard let counters = try counters(worker) else { return }
            events.append(.incarnation(id, .counters(counters)))
        } catch {
            trouble(id, error)
        }
    }

    func readEmptiness(_ id: IncarnationID) {
        guard let worker = workers[id] else { return }
        do {
            guard try !worker.cgroup.events().populated else { return }
        } catch {
            // Removed by somebody else: nothing can be in it.
            guard error.errno == ENODEV || error.errno == ENOENT else {
                // The kernel may have nothing more to tell of it: it is looked at again with the next kill.
                worker.asksForEmptiness = true
                return trouble(id, error)
            }
        }
        worker.asksForEmptiness = false
        unwatchEmptiness(worker)
        events.append(.incarnation(id, .emptied))
    }

    func takeReports(_ worker: Worker) {
        worker.reports?.drain()
        if worker.reports?.isReady == true, !worker.toldReady, !worker.awaitsProgram {
            worker.toldReady = true
            events.append(.incarnation(worker.id, .ready))
        }
        if let fault = worker.reports?.fault {
            tell(.hostTrouble(worker.id, sentence: "\(names.worker(worker.id.slot)): \(fault)"))
            worker.reports = nil
        } else if worker.reports?.isClosed == true, let descriptor = worker.reports?.descriptor.number {
            loop.remove(descriptor)
        }
    }

    func takeProgramStatus(_ worker: Worker) {
        guard worker.awaitsProgram, let pipe = worker.process?.statusPipe, let pid = worker.process?.pid
        else { return }
        do {
            switch try StartStatus.read(pipe) {
            case .pending: return
            case .started:
                worker.awaitsProgram = false
                events.append(.incarnation(worker.id, .started(pid: pid)))
                takeReports(worker)
                let error = listenToNotifications(of: worker)
                if error != 0 {
                    tell(
                        .hostTrouble(
                            worker.id,
                            sentence:
                                "\(names.worker(worker.id.slot)): its notify socket cannot be listened to: errno \(error)"
                        ))
                }
            case .failed(let stage, let errno):
                worker.awaitsProgram = false
                let error = SpawnError(
                    stage: stage, errno: errno, executable: groups[worker.id.group].executable,
                    cgroup: names.cgroup(worker.id))
                // It ends as soon as its CPU limit lets it, which is not waited for: its pidfd tells.
                worker.startFailure = StartFailure(
                    isPermanent: error.isProgramFault, sentence: startSentence(worker.id, error.description))
            }
        } catch {
            trouble(worker.id, error)
        }
        loop.remove(pipe)
        worker.process?.closeStatusPipe()
    }

    /// The child that cannot be listened to was killed.
    func reapFailedStart(_ worker: Worker) {
        guard let pidfd = worker.process?.pidfd else { return }
        loop.remove(pidfd)
        // It is about to end; but a frozen or throttled one must not hold up everyone else for long.
        var request = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, 1000) < 0, errno == EINTR {}
        do { _ = try reap(pidfd: pidfd) } catch { trouble(worker.id, error) }
        worker.process = nil
    }

    func takeExit(_ worker: Worker) {
        if worker.awaitsProgram { takeProgramStatus(worker) }
        guard let pidfd = worker.process?.pidfd else { return }
        var status = ExitStatus.unknown
        if worker.isAdopted {
            guard hasEnded(pidfd: pidfd) else { return }
        } else {
            do {
                guard let ended = try reap(pidfd: pidfd) else { return }
                status = ExitStatus(ended)
            } catch {
                // ECHILD: somebody else reaped it. It has ended all the same.
                trouble(worker.id, error)
            }
        }
        if let failure = worker.startFailure {
            worker.process = nil
            return fail(worker.id, failure)
        }
        takeReports(worker)
        // The last words of one that has ended stand before its end.
        takeNotifications(worker)
        // The kernel's word of them may be late.
        let refusals = tellRefusals(of: worker)
        unwatchProcesses(worker)
        // A child that has not come to its exec may have a copy, which would stay on the loop with what was not read.
        if let socket = worker.socket?.descriptor.number { loop.remove(socket) }
        worker.process = nil
        worker.socket = nil
        worker.pressure = nil
        var exit = Exit(status: status, report: worker.reports?.report)
        worker.reports = nil
        exit.refusals = refusals
        do {
            exit.memory = try counters(worker)
            if tellsUsage {
                if exit.memory != nil { exit.memoryPeak = try worker.cgroup.memoryPeak() }
                exit.cpuMicroseconds = try worker.cgroup.cpuStat().usageMicroseconds
            }
        } catch {
            trouble(worker.id, error)
        }
        events.append(.incarnation(worker.id, .exited(exit)))
    }

    /// One by one, and apart from workers, whose end is told with all that is known of it.
    func reapOrphans() {
        childEnded = false
        var last: Int32 = 0
        while true {
            let pid = linux_ended_child()
            // The same again: it could not be reaped, which was told.
            guard pid > 0, pid != last else { return }
            last = pid
            if let worker = workers.first(where: { $0.process?.pid == pid }) {
                takeExit(worker)
            } else if let upgrade, upgrade.child == pid {
                upgrade.takeEnd()
            } else {
                // 0 or ECHILD: it is gone. Nobody asks how an orphan ended.
                _ = linux_reap(pid)
            }
        }
    }
}
