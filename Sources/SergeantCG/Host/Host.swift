internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// Turns actions into system calls and kernel facts into events, on one thread with one epoll. It decides
/// nothing.
final class Host {
    /// Starts after which the host looks for events again, so that a stop is never behind a thousand starts.
    private static let startsPerTurn = 8

    private enum Source: UInt8 {
        case signal = 1, stopRequest, timer, watcher, observer
        case process, report, program
    }

    private enum Watch {
        case memory(IncarnationID)
        case emptiness(IncarnationID)
    }

    private let subtree: Subtree
    private let groups: [GroupHost]
    private let names: Names
    private let observers: [any Observer]
    private let buffers: [any BufferedObserver]

    private let loop: EventLoop
    private var timers: TimerQueue
    private let watcher: CgroupWatcher
    private let signals: SignalSource?
    private let stopRequest: Int32

    private var supervision: Supervision
    private var events = Queue<Event>()
    private var outcome: Outcome?
    private var stopWasAsked = false

    private var workers: [Worker?] = []
    private var vacancies: [Int] = []
    private var uses: UInt64 = 0
    private var places: [IncarnationID: Int] = [:]
    private var watches: [Int32: Watch] = [:]
    /// For each buffered observer, the descriptor that the loop waits to write to.
    private var awaited: [Int32?]
    private var startsThisTurn = 0
    /// SIGCHLD came, which is asked for only where orphans become our children.
    private var childEnded = false

    init(
        configuration: Configuration, subtree: Subtree, groups: [GroupHost], names: Names,
        observers: [any Observer], stopRequest: Int32, seed: UInt64
    ) throws(SupervisorError) {
        self.subtree = subtree
        self.groups = groups
        self.names = names
        self.observers = observers
        buffers = observers.compactMap { $0 as? any BufferedObserver }
        awaited = buffers.map { _ in nil }
        self.stopRequest = stopRequest
        loop = try EventLoop()
        timers = try TimerQueue()
        do { watcher = try CgroupWatcher() } catch {
            throw SupervisorError(.system, error.description)
        }
        signals = configuration.handlesSignals ? try SignalSource() : nil
        supervision = Supervision(configuration.groups.map(\.policy), seed: seed)

        try listen(timers.descriptor, .timer)
        try listen(watcher.descriptor, .watcher)
        try listen(stopRequest, .stopRequest)
        if let signal = signals?.descriptor { try listen(signal, .signal) }
    }

    private func listen(_ descriptor: Int32, _ source: Source) throws(SupervisorError) {
        let error = loop.add(descriptor, .readable, token: Self.token(source))
        guard error == 0 else {
            throw SupervisorError(.system, "cannot listen to descriptor \(descriptor): errno \(error)")
        }
    }

    // MARK: The loop

    /// Supervises until all is stopped.
    func run() throws(SupervisorError) -> Outcome {
        events.append(.begin)
        for notice in subtree.notices { tell(.hostNotice(sentence: notice)) }
        var ready: [UInt64] = []
        while true {
            startsThisTurn = 0
            while startsThisTurn < Self.startsPerTurn, let event = events.next() {
                for action in supervision.handle(event, at: TimerQueue.now()) { perform(action) }
            }
            flushObservers()
            if let outcome { return outcome }
            try timers.arm()
            ready.removeAll(keepingCapacity: true)
            try loop.wait(forever: events.isEmpty) { ready.append($0) }
            for token in ready { dispatch(token) }
            if childEnded { reapOrphans() }
        }
    }

    private func dispatch(_ token: UInt64) {
        guard let source = Source(rawValue: UInt8(token >> 56)) else { return }
        switch source {
        case .signal: takeSignals()
        case .stopRequest: takeStopRequest()
        case .timer: takeTimers()
        case .watcher: takeWatches()
        case .observer: break  // It is flushed at the end of every turn.
        case .process: if let worker = worker(token) { takeExit(worker) }
        case .report: if let worker = worker(token) { takeReports(worker) }
        case .program: if let worker = worker(token) { takeProgramStatus(worker) }
        }
    }

    // MARK: Facts become events

    private func takeSignals() {
        while let signal = signals?.next() {
            switch signal {
            case SIGCHLD:
                childEnded = true
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

    private func takeStopRequest() {
        var count: UInt64 = 0
        // EAGAIN: another wake-up has read it.
        _ = read(stopRequest, &count, 8)
        stopWasAsked = true
        events.append(.stop)
    }

    private func takeTimers() {
        timers.acknowledge()
        let now = TimerQueue.now()
        while let timer = timers.next(due: now) { events.append(.timer(timer)) }
    }

    private func takeWatches() {
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
            case nil: break
            }
        }
    }

    private func readCounters(_ id: IncarnationID) {
        guard let worker = worker(id) else { return }
        do {
            guard let counters = try counters(worker) else { return }
            events.append(.incarnation(id, .counters(counters)))
        } catch {
            trouble(id, error)
        }
    }

    private func readEmptiness(_ id: IncarnationID) {
        guard let worker = worker(id) else { return }
        do {
            guard try !worker.cgroup.events().populated else { return }
        } catch {
            // Removed by somebody else: nothing can be in it.
            guard error.errno == ENODEV || error.errno == ENOENT else { return trouble(id, error) }
        }
        worker.asksForEmptiness = false
        unwatchEmptiness(worker)
        events.append(.incarnation(id, .emptied))
    }

    private func takeReports(_ worker: Worker) {
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

    private func takeProgramStatus(_ worker: Worker) {
        guard worker.awaitsProgram, let pipe = worker.process?.statusPipe, let pid = worker.process?.pid
        else { return }
        do {
            switch try StartStatus.read(pipe) {
            case .pending: return
            case .started:
                worker.awaitsProgram = false
                events.append(.incarnation(worker.id, .started(pid: pid)))
                takeReports(worker)
            case .failed(let stage, let errno):
                worker.awaitsProgram = false
                let error = SpawnError(
                    stage: stage, errno: errno, executable: groups[worker.id.group].executable,
                    cgroup: names.cgroup(worker.id))
                reapFailedStart(worker)
                fail(worker.id, error)
            }
        } catch {
            trouble(worker.id, error)
        }
        loop.remove(pipe)
    }

    /// The child that could not run the program has ended, or is about to.
    private func reapFailedStart(_ worker: Worker) {
        guard let pidfd = worker.process?.pidfd else { return }
        loop.remove(pidfd)
        // It is about to end; but a frozen or throttled one must not hold up everyone else for long.
        var request = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, 1000) < 0, errno == EINTR {}
        do { _ = try reap(pidfd: pidfd) } catch { trouble(worker.id, error) }
        worker.process = nil
    }

    private func takeExit(_ worker: Worker) {
        if worker.awaitsProgram {
            takeProgramStatus(worker)
            guard worker.process != nil else { return }
        }
        guard let pidfd = worker.process?.pidfd else { return }
        let status: ProcessExit
        do {
            guard let ended = try reap(pidfd: pidfd) else { return }
            status = ended
        } catch {
            // ECHILD: somebody else reaped it. It has ended all the same.
            trouble(worker.id, error)
            status = .exited(-1)
        }
        takeReports(worker)
        worker.process = nil
        var exit = Exit(status: ExitStatus(status), report: worker.reports?.report)
        worker.reports = nil
        do {
            exit.memory = try counters(worker)
            if exit.memory != nil { exit.memoryPeak = try worker.cgroup.memoryPeak() }
            exit.cpuMicroseconds = try worker.cgroup.cpuStat().usageMicroseconds
        } catch {
            trouble(worker.id, error)
        }
        events.append(.incarnation(worker.id, .exited(exit)))
    }

    /// One by one, and apart from workers, whose end is told with all that is known of it.
    private func reapOrphans() {
        childEnded = false
        var last: Int32 = 0
        while true {
            let pid = linux_ended_child()
            // The same again: it could not be reaped, which was told.
            guard pid > 0, pid != last else { return }
            last = pid
            if let worker = workers.lazy.compactMap({ $0 }).first(where: { $0.process?.pid == pid }) {
                takeExit(worker)
            } else {
                // 0 or ECHILD: it is gone. Nobody asks how an orphan ended.
                _ = linux_reap(pid)
            }
        }
    }

    // MARK: Actions become system calls

    private func perform(_ action: Action) {
        switch action {
        case .start(let id): start(id)
        case .signal(let id): signal(id)
        case .signalLeftovers(let id): signalLeftovers(id)
        case .kill(let id): kill(id)
        case .watchForEmptiness(let id): watchForEmptiness(id)
        case .measureMemory(let id): measureMemory(id)
        case .setMemoryHigh(let id, let bytes):
            attempt(id) { (cgroup) throws(CgroupError) in try cgroup.setMemoryHigh(Limit(bytes)) }
        case .setMemoryMax(let id, let bytes):
            attempt(id) { (cgroup) throws(CgroupError) in try cgroup.setMemoryMax(Limit(bytes)) }
        case .observeMemoryEvents(let id, let observed): observeMemoryEvents(id, observed)
        case .remove(let id): remove(id)
        case .setTimer(let timer, let instant): timers.set(timer, at: instant)
        case .cancelTimer(let timer): timers.cancel(timer)
        case .report(let occurrence): tell(occurrence)
        case .finish(let outcome): self.outcome = outcome
        }
    }

    private func start(_ id: IncarnationID) {
        startsThisTurn += 1
        let group = groups[id.group]
        let worker: Worker
        do {
            let directory = names.directory(id)
            worker = admit(id, directory, try group.makeCgroup(directory))
            try group.limit(worker.cgroup)
            if group.limits.memoryThreshold != nil { try watchMemory(worker) }
        } catch {
            return fail(id, StartFailure(isPermanent: false, sentence: startSentence(id, error.description)))
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
                in: worker.cgroup, environment: WorkerEnvironment.own(id, names: names), report: childEnd)
            worker.awaitsProgram = process.statusPipe != nil
            worker.process = consume process
        } catch {
            return fail(id, error)
        }
        guard listen(to: worker) else { return }
        if !worker.awaitsProgram, let pid = worker.process?.pid {
            events.append(.incarnation(id, .started(pid: pid)))
        }
    }

    /// Registers a new worker's descriptors. Without them it could not be supervised, so it must not live.
    private func listen(to worker: Worker) -> Bool {
        guard let pidfd = worker.process?.pidfd else { return false }
        let pipe = worker.process?.statusPipe
        var error = loop.add(pidfd, .ended, token: Self.token(.process, worker.token))
        if error == 0, let reports = worker.reports?.descriptor.number {
            error = loop.add(reports, .readable, token: Self.token(.report, worker.token))
        }
        if error == 0, let pipe {
            error = loop.add(pipe, .readable, token: Self.token(.program, worker.token))
        }
        guard error != 0 else { return true }
        kill(worker.id)
        reapFailedStart(worker)
        let reason = "its descriptors cannot be listened to: \(String(cString: strerror(error)))"
        fail(worker.id, StartFailure(isPermanent: false, sentence: startSentence(worker.id, reason)))
        return false
    }

    private func fail(_ id: IncarnationID, _ error: SpawnError) {
        fail(
            id,
            StartFailure(
                isPermanent: error.isProgramFault, sentence: startSentence(id, error.description)))
    }

    private func fail(_ id: IncarnationID, _ failure: StartFailure) {
        events.append(.incarnation(id, .startFailed(failure)))
    }

    private func startSentence(_ id: IncarnationID, _ reason: String) -> String {
        "could not start \(names.worker(id.slot)): \(reason)"
    }

    private func signal(_ id: IncarnationID) {
        guard let worker = worker(id), let pidfd = worker.process?.pidfd else { return }
        let result = linux_pidfd_send_signal(pidfd, groups[id.group].stopSignal)
        // ESRCH: it has ended, its exit is on its way.
        if result < 0, result != -ESRCH {
            tell(.hostTrouble(id, sentence: "cannot signal \(names.worker(id.slot)): errno \(-result)"))
        }
    }

    private func signalLeftovers(_ id: IncarnationID) {
        attempt(id) { (cgroup) throws(CgroupError) in _ = try cgroup.signalAll(groups[id.group].stopSignal) }
    }

    private func kill(_ id: IncarnationID) {
        guard let worker = worker(id) else { return }
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
    private func counters(_ worker: Worker) throws(CgroupError) -> MemoryCounters? {
        guard subtree.accountsMemory else { return nil }
        let events = try worker.cgroup.memoryEvents()
        return MemoryCounters(high: events.high, max: events.max, oom: events.oom, oomKill: events.oomKill)
    }

    private func measureMemory(_ id: IncarnationID) {
        guard let worker = worker(id) else { return }
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

    private func remove(_ id: IncarnationID) {
        guard let worker = worker(id) else {
            events.append(.incarnation(id, .removed))
            return
        }
        if let watch = worker.memoryWatch { unwatch(watch) }
        worker.memoryWatch = nil
        unwatchEmptiness(worker)
        do {
            try groups[id.group].remove(worker.directory)
            dismiss(worker)
        } catch {
            switch error.errno {
            case ENOENT, ENODEV: dismiss(worker)
            default: events.append(.incarnation(id, .removalFailed(errno: error.errno)))
            }
        }
    }

    // MARK: Watches

    private func watchMemory(_ worker: Worker) throws(CgroupError) {
        let watch = try watcher.watch(worker.cgroup, "memory.events")
        worker.memoryWatch = watch
        watches[watch] = .memory(worker.id)
    }

    private func observeMemoryEvents(_ id: IncarnationID, _ observed: Bool) {
        guard let worker = worker(id) else { return }
        if !observed {
            if let watch = worker.memoryWatch { unwatch(watch) }
            worker.memoryWatch = nil
        } else if worker.memoryWatch == nil {
            do { try watchMemory(worker) } catch { trouble(id, error) }
        }
    }

    private func watchForEmptiness(_ id: IncarnationID) {
        guard let worker = worker(id), worker.emptinessWatch == nil else { return }
        do {
            let watch = try watcher.watch(worker.cgroup, "cgroup.events")
            worker.emptinessWatch = watch
            watches[watch] = .emptiness(id)
        } catch {
            worker.asksForEmptiness = true
            trouble(id, error)
        }
        // It may have become empty before it was watched.
        readEmptiness(id)
    }

    private func unwatchEmptiness(_ worker: Worker) {
        guard let watch = worker.emptinessWatch else { return }
        worker.emptinessWatch = nil
        unwatch(watch)
    }

    private func unwatch(_ watch: Int32) {
        watches[watch] = nil
        watcher.unwatch(watch)
    }

    // MARK: Workers

    private func admit(_ id: IncarnationID, _ directory: String, _ cgroup: consuming Cgroup) -> Worker {
        uses += 1
        let place = vacancies.popLast() ?? workers.count
        let token = (uses & 0xFF_FFFF) << 32 | UInt64(place)
        let worker = Worker(id: id, directory: directory, token: token, cgroup: cgroup)
        if place == workers.count { workers.append(worker) } else { workers[place] = worker }
        places[id] = place
        return worker
    }

    private func dismiss(_ worker: Worker) {
        let place = Int(worker.token & 0xFFFF_FFFF)
        workers[place] = nil
        vacancies.append(place)
        places[worker.id] = nil
        events.append(.incarnation(worker.id, .removed))
    }

    private func worker(_ id: IncarnationID) -> Worker? {
        places[id].flatMap { workers[$0] }
    }

    private func worker(_ token: UInt64) -> Worker? {
        let place = Int(token & 0xFFFF_FFFF)
        guard workers.indices.contains(place), let worker = workers[place],
            worker.token == token & 0xFF_FFFF_FFFF_FFFF
        else { return nil }
        return worker
    }

    private static func token(_ source: Source, _ worker: UInt64 = 0) -> UInt64 {
        UInt64(source.rawValue) << 56 | worker
    }

    // MARK: Telling

    private func tell(_ occurrence: Occurrence) {
        for observer in observers { observer.observe(occurrence, named: names) }
    }

    private func trouble(_ id: IncarnationID, _ error: CgroupError) {
        tell(.hostTrouble(id, sentence: "\(names.worker(id.slot)): \(error.description)"))
    }

    private func attempt(_ id: IncarnationID, _ body: (borrowing Cgroup) throws(CgroupError) -> Void) {
        guard let worker = worker(id) else { return }
        do { try body(worker.cgroup) } catch { trouble(id, error) }
    }

    private func flushObservers() {
        for (index, observer) in buffers.enumerated() {
            observer.flush()
            let descriptor = observer.awaitedDescriptor
            guard descriptor != awaited[index] else { continue }
            if let old = awaited[index] { loop.remove(old) }
            awaited[index] = nil
            // A descriptor that epoll does not take is tried again at the end of the next turn.
            if let descriptor, loop.add(descriptor, .writable, token: Self.token(.observer)) == 0 {
                awaited[index] = descriptor
            }
        }
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
