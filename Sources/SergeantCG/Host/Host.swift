internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// Turns actions into system calls and kernel facts into events, on one thread with one epoll. It decides
/// nothing.
final class Host {
    /// Starts after which the host looks for events again, so that a stop is never behind a thousand starts.
    private static let startsPerTurn = 8

    enum Source: UInt8 {
        case signal = 1, stopRequest, timer, watcher, observer, part
        case process, report, program, notification, pressure
    }

    enum Timer: Hashable {
        case supervision(TimerID)
        /// A part of the loop, and its own key.
        case part(Int, UInt32)
    }

    enum Watch {
        case memory(IncarnationID)
        case emptiness(IncarnationID)
        case processes(IncarnationID)
    }

    let subtree: Subtree
    private(set) var groups: [GroupHost]
    private(set) var names: Names
    let observers: [any Observer]
    /// One of them tells what a worker took in all.
    let tellsUsage: Bool
    /// Somebody keeps account of what each incarnation took.
    let keepsAccount: Bool
    let buffers: [any BufferedObserver]
    let parts: [any LoopPart]
    let slowWrites = SlowWrites()
    let congestion = Congestion()
    let sockets: ListeningSockets
    /// Nil for a guest: its program is not ours to replace.
    let upgrade: Upgrade?
    /// What the image before us handed over.
    private let inheritance: UpgradeState?
    /// Workers of an earlier supervisor, until they are taken over.
    var adoptees: [IncarnationID: Adoptee]

    let loop: EventLoop
    var timers: TimerQueue<Timer>
    let watcher: CgroupWatcher
    let signals: SignalSource?
    let stopRequest: Int32

    var supervision: Supervision
    var events = Queue<Event>()
    var outcome: Outcome?
    var stopWasAsked = false

    var workers = WorkerTable()
    var watches: [Int32: Watch] = [:]
    /// Those whose `pids.events` changed, until that is told.
    var refused: Set<IncarnationID> = []
    /// Made when the first worker needs it.
    var notifyDirectory: NotifyDirectory?
    /// For each buffered observer, the descriptor that the loop waits to write to.
    var awaited: [Int32?]
    var startsThisTurn = 0
    /// SIGCHLD came, which is asked for only where orphans become our children.
    var childEnded = false

    init(
        configuration: Configuration, subtree: Subtree, groups: [GroupHost], names: Names,
        observers: [any Observer], parts: [any LoopPart], sockets: ListeningSockets,
        upgrade: Upgrade?, inheritance: UpgradeState?, stopRequest: Int32, seed: UInt64
    ) throws(SupervisorError) {
        self.subtree = subtree
        self.groups = groups
        self.names = names
        self.observers = observers
        // Last, so that at the end of a turn all others have done theirs.
        self.parts = [slowWrites] + parts + (upgrade.map { [$0] } ?? [])
        self.sockets = sockets
        self.upgrade = upgrade
        self.inheritance = inheritance
        adoptees = Self.adoptees(subtree.adopted, names)
        tellsUsage = observers.contains { $0.tellsUsage }
        keepsAccount = observers.contains { $0.keepsAccount }
        buffers = observers.compactMap { $0 as? any BufferedObserver }
        awaited = buffers.map { _ in nil }
        self.stopRequest = stopRequest
        loop = try EventLoop()
        timers = try TimerQueue()
        do { watcher = try CgroupWatcher() } catch {
            throw SupervisorError(.system, error.description)
        }
        signals = configuration.handlesSignals ? try SignalSource() : nil
        supervision =
            inheritance?.supervision
            ?? Supervision(configuration.groups.map(\.policy), seed: seed, adopting: Array(adoptees.keys))

        try listen(timers.descriptor, .timer)
        try listen(watcher.descriptor, .watcher)
        try listen(stopRequest, .stopRequest)
        if let signal = signals?.descriptor { try listen(signal, .signal) }
        SpareDescriptor.keep()
    }

    deinit { SpareDescriptor.drop() }

    func listen(_ descriptor: Int32, _ source: Source) throws(SupervisorError) {
        let error = loop.add(descriptor, .readable, token: Self.token(source))
        guard error == 0 else {
            throw SupervisorError(.system, "cannot listen to descriptor \(descriptor): errno \(error)")
        }
    }

    // MARK: The loop

    /// Supervises until all is stopped.
    func run() throws(SupervisorError) -> Outcome {
        if let inheritance { recallMemories(of: inheritance) }
        var joined = 0
        defer {
            for part in parts[..<joined].reversed() { part.leave() }
            notifyDirectory?.remove()
        }
        for (index, part) in parts.enumerated() {
            try part.join(HostAccess(self, part: index))
            joined += 1
        }
        do throws(SupervisorError) { return try supervise() } catch {
            tell(.supervisorBroken(sentence: error.description))
            flushObservers()
            throw error
        }
    }

    private func supervise() throws(SupervisorError) -> Outcome {
        if let inheritance {
            try resume(inheritance)
        } else {
            events.append(.begin)
            for notice in subtree.notices { tell(.hostNotice(sentence: notice)) }
        }
        var ready: [UInt64] = []
        while true {
            startsThisTurn = 0
            while startsThisTurn < Self.startsPerTurn, let event = events.next() {
                for action in supervision.handle(event, at: Instant.now()) { perform(action) }
            }
            tellRefusals()
            for part in parts { part.endTurn() }
            flushObservers()
            if let outcome { return outcome }
            try timers.arm()
            ready.removeAll(keepingCapacity: true)
            try loop.wait(forever: events.isEmpty) { ready.append($0) }
            for token in ready { dispatch(token) }
            if childEnded { reapOrphans() }
        }
    }

    func dispatch(_ token: UInt64) {
        guard let source = Source(rawValue: UInt8(token >> 56)) else { return }
        switch source {
        case .signal: takeSignals()
        case .stopRequest: takeStopRequest()
        case .timer: takeTimers()
        case .watcher: takeWatches()
        case .observer: break  // It is flushed at the end of every turn.
        case .part: parts[Int(token >> 32 & 0xFFFF)].descriptorIsReady(UInt32(truncatingIfNeeded: token))
        case .process: if let worker = workers.worker(token) { takeExit(worker) }
        case .report: if let worker = workers.worker(token) { takeReports(worker) }
        case .program: if let worker = workers.worker(token) { takeProgramStatus(worker) }
        case .notification: if let worker = workers.worker(token) { takeNotifications(worker) }
        case .pressure: if let worker = workers.worker(token) { takePressure(worker) }
        }
    }

    // MARK: Groups

    /// The incarnations that live go on as they were started, under the new limits. What decides on their memory follows
    /// when supervision asks for it.
    func replace(_ group: GroupHost, at index: Int, _ name: Names.Group) {
        if index == groups.count {
            groups.append(group)
            names.groups.append(name)
        } else {
            let before = groups[index]
            group.takePlace(of: groups[index])
            do { try group.limitGroup(from: before.configuration.groupMemoryMax, slowWrites) } catch {
                tell(.hostTrouble(nil, sentence: error.description))
            }
            groups[index] = group
            for worker in workers.all where worker.id.group == index {
                attempt(worker.id) { (cgroup) throws(CgroupError) in try group.change(cgroup, from: before) }
                watchProcesses(worker)
                markLeftover(worker)
            }
            names.groups[index] = name
        }
    }

    // MARK: Tokens

    static func token(_ source: Source, _ worker: UInt64 = 0) -> UInt64 {
        UInt64(source.rawValue) << 56 | worker
    }

    static func token(part: Int, key: UInt32) -> UInt64 {
        token(.part, UInt64(part) << 32 | UInt64(key))
    }

    // MARK: Telling

    func tell(_ occurrence: Occurrence) {
        for observer in observers { observer.observe(occurrence, named: names) }
    }

    func trouble(_ id: IncarnationID, _ error: CgroupError) {
        tell(.hostTrouble(id, sentence: "\(names.worker(id.slot)): \(error.description)"))
    }

    func attempt(_ id: IncarnationID, _ body: (borrowing Cgroup) throws(CgroupError) -> Void) {
        guard let worker = workers[id] else { return }
        do { try body(worker.cgroup) } catch { trouble(id, error) }
    }

    func flushObservers() {
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
