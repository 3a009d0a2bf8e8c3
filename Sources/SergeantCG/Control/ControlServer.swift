internal import CLinux
internal import CgroupKit
internal import FoundationEssentials
internal import Glibc
package import Supervision

/// The control socket: answers calls of the supervisor's own user and of root, a few bytes at a time, on the
/// supervisor's loop. Without a client it does nothing.
package final class ControlServer: Observer, LoopPart {
    /// Connections at once; one more closes the one that was idle the longest.
    static let mostConnections = 64
    /// New connections in one turn of the loop.
    private static let acceptsPerTurn = 16
    /// Cgroups asked for one answer in one turn of the loop.
    private static let cgroupsPerTurn = 32
    /// How long a client may read nothing of what waits for it.
    private static let patience: Duration = .seconds(10)

    private static let listenerKey: UInt32 = 0
    private static let patienceTimer: UInt32 = 0

    private let place: Configuration.Control
    private let name: String
    private let board: StatusBoard
    private var past = RecentPast()
    /// Something occurred in this turn of the loop.
    private var hasNews = false
    private var host: HostAccess?
    /// What scales groups.
    var reconfiguration: Reconfiguration?
    /// Reads the configuration again, and tells when that is done; nil where there is nothing to read.
    var reload: (() -> Void)?
    private var socket: ControlSocket?
    /// Given up for a moment where no descriptor is left, so that a caller can be turned away.
    private var spare: Spare?
    /// What an image before us handed over.
    private var inheritance: Memory?

    private var connections: [UInt32: ControlConnection] = [:]
    private var lastKey = ControlServer.listenerKey
    private var uses: UInt64 = 0
    /// Connections whose client reads nothing, and since when.
    private var stuck: [UInt32: Instant] = [:]

    package init(_ configuration: Configuration) {
        place = configuration.control
        name = configuration.name
        board = StatusBoard(desired: configuration.groups.map(\.workers))
    }

    // MARK: The loop

    package func join(_ host: HostAccess) throws(SupervisorError) {
        if let inheritance {
            self.inheritance = nil
            return takeUp(inheritance, host)
        }
        let path: ControlPath
        switch place {
        case .none: return
        case .path(let given): path = ControlPath(given: given)
        case .automatic:
            guard let found = ControlPath(name: name, user: geteuid()) else {
                host.tell(.hostNotice(sentence: Self.without("XDG_RUNTIME_DIR names no directory for it")))
                return
            }
            path = found
        }
        self.host = host
        do throws(ControlSocket.Fault) {
            try listen(to: try ControlSocket(path), host)
        } catch {
            leave()
            switch error {
            case .living(let pid):
                let who = pid.map { "the supervisor with PID \($0)" } ?? "another supervisor"
                guard path.isGiven else {
                    // Several of one name, each in a cgroup of its own, are no conflict but for this.
                    return host.tell(
                        .hostNotice(
                            sentence: Self.without(
                                "\(who) listens on \(path.path) already; --name NAME gives this one its own"))
                    )
                }
                throw SupervisorError(
                    .alreadyRuns,
                    "\(who) listens on the control socket \(path.path) already: stop it, or give this one --name NAME "
                        + "or --control PATH")
            case .failed(let sentence):
                if path.isGiven {
                    throw SupervisorError(.system, "no control socket can be had: \(sentence)")
                }
                host.tell(.hostNotice(sentence: Self.without(sentence)))
            }
        }
    }

    private func listen(to made: ControlSocket, _ host: HostAccess) throws(ControlSocket.Fault) {
        socket = made
        let error = host.listen(to: made.listener.number, .readable, key: Self.listenerKey)
        guard error == 0 else { throw .failed("cannot listen to it: errno \(error)") }
        spare = Spare()
    }

    private static func without(_ reason: String) -> String {
        "there is no control socket, so status, stop and restart cannot reach this supervisor: \(reason); "
            + "--control PATH names a place, --control none leaves it out"
    }

    package func descriptorIsReady(_ key: UInt32) {
        if key == Self.listenerKey { return accept() }
        guard let connection = connections[key] else { return }
        uses += 1
        connection.lastUse = uses
        serve(connection)
        settle(key, connection)
    }

    package func timerIsDue(_ key: UInt32) {
        let now = Instant.now()
        for (key, since) in stuck where now >= since + Self.patience { drop(key) }
        if let first = stuck.values.min() { host?.setTimer(Self.patienceTimer, at: first + Self.patience) }
    }

    package func leave() {
        tellNews()
        socket?.remove()
        socket = nil
        // Connections stay until the supervisor has given back its cgroups: their end says that all is over.
        host = nil
    }

    package var tellsUsage: Bool { false }

    package func observe(_ occurrence: Occurrence, named names: Names) {
        board.observe(occurrence, named: names)
        past.note(occurrence, named: names)
        hasNews = true
        switch occurrence {
        case .rollEnded(let group, let end): note(end, of: group, names)
        case .supervisorReloaded(let fault):
            let reply = fault.map { VarlinkReply.error(.reloadFailed($0)) } ?? VarlinkReply.result()
            finish { if case .reload = $0 { reply } else { nil } }
        case .supervisorUpgraded:
            finish { if case .upgrade = $0 { VarlinkReply.result() } else { nil } }
        case .supervisorUpgradeRefused(let reason):
            finish { if case .upgrade = $0 { VarlinkReply.error(.upgradeFailed(reason)) } else { nil } }
        case .supervisorStopping:
            finish { if case .roll = $0 { VarlinkReply.error(.stopping) } else { nil } }
        default: break
        }
    }

    // MARK: Connections

    private func accept() {
        guard let socket else { return }
        for _ in 0..<Self.acceptsPerTurn {
            let result = linux_accept4(
                socket.listener.number, LINUX_SOCK_NONBLOCK | LINUX_SOCK_CLOEXEC)
            switch -result {
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return turnAway(socket)
            case ECONNABORTED, EINTR: continue
            case _ where result < 0: return
            default: admit(Descriptor(owning: result))
            }
        }
    }

    /// No descriptor is left. A caller that stays in the queue would wake the loop for ever.
    private func turnAway(_ socket: ControlSocket) {
        if let victim = longestIdle { return drop(victim) }
        spare = nil
        let result = linux_accept4(socket.listener.number, LINUX_SOCK_CLOEXEC)
        if result >= 0 { close(result) }
        spare = Spare()
    }

    private func admit(_ descriptor: consuming Descriptor) {
        let peer = UnixSocket.peer(of: descriptor.number)
        guard let peer, peer.user == 0 || peer.user == geteuid() else {
            let refusal = VarlinkReply.error(.permissionDenied)
            // The socket is new: it takes so little at once, or its client is gone.
            _ = send(
                descriptor.number, refusal, refusal.count, LINUX_MSG_DONTWAIT | LINUX_MSG_NOSIGNAL)
            return
        }
        if connections.count >= Self.mostConnections {
            guard let victim = longestIdle else { return }
            drop(victim)
        }
        admit(ControlConnection(descriptor))
    }

    private func admit(_ connection: ControlConnection) {
        repeat { lastKey &+= 1 } while lastKey == Self.listenerKey || connections[lastKey] != nil
        uses += 1
        connection.lastUse = uses
        // A descriptor that epoll does not take cannot be served.
        guard host?.listen(to: connection.descriptor.number, connection.interest, key: lastKey) == 0 else {
            return
        }
        connections[lastKey] = connection
        // One that was handed over may have something to do already.
        settle(lastKey, connection)
    }

    /// Of those that lose nothing they were promised; else of those whose client does not read.
    private var longestIdle: UInt32? {
        func oldest(_ keys: some Sequence<UInt32>) -> UInt32? {
            keys.min { (connections[$0]?.lastUse ?? 0) < (connections[$1]?.lastUse ?? 0) }
        }
        return oldest(connections.keys.filter { connections[$0]?.isIdle == true }) ?? oldest(stuck.keys)
            ?? oldest(connections.keys.filter { connections[$0]?.isWatching == true })
    }

    private func drop(_ key: UInt32) {
        if let descriptor = connections[key]?.descriptor.number {
            // A child that has not come to its exec has a copy, as long as its cgroup is frozen: closing ours would neither
            // take it off the loop nor tell the client.
            host?.ignore(descriptor)
            _ = shutdown(descriptor, Int32(SHUT_RDWR))
        }
        connections[key] = nil
        stuck[key] = nil
    }

    /// One step: what waits is written, or one call is read and answered.
    private func serve(_ connection: ControlConnection) {
        if connection.isWriting {
            connection.send()
            if connection.isWriting || connection.isBroken { return }
        }
        switch connection.task {
        case .status(let question): answer(question, connection)
        case .roll, .reload, .upgrade: if connection.hasHungUp { connection.fail() }
        case .watch(let number):
            if number < past.last {
                tell(after: number, connection)
            } else if connection.hasHungUp {
                connection.fail()
            }
        case nil:
            if !connection.hasMessage { connection.receive() }
            if !connection.isBroken, let message = connection.nextMessage() { take(message, connection) }
        }
        connection.send()
    }

    /// What the loop is to listen for next.
    private func settle(_ key: UInt32, _ connection: ControlConnection) {
        if connection.isBroken || connection.isOverfull || connection.isFinished { return drop(key) }
        follow(key, isWriting: connection.isWriting)
        let interest: EventLoop.Interest
        switch connection.task {
        case .status: interest = .writable
        // Only a hang-up is told: what else the client asks comes after this.
        case .roll, .reload, .upgrade: interest = connection.isWriting ? .writable : []
        // What it has not been told yet, a batch at a time.
        case .watch(let number): interest = connection.isWriting || number < past.last ? .writable : []
        // A call that has come whole waits for its turn, which is the next.
        case nil: interest = connection.isWriting || connection.hasMessage ? .writable : .readable
        }
        guard interest != connection.interest else { return }
        connection.interest = interest
        if host?.listen(again: connection.descriptor.number, interest, key: key) != 0 { drop(key) }
    }

    /// A client that reads nothing for a while is let go.
    private func follow(_ key: UInt32, isWriting: Bool) {
        guard isWriting else {
            if stuck.removeValue(forKey: key) != nil, stuck.isEmpty {
                host?.cancelTimer(Self.patienceTimer)
            }
            return
        }
        // The loop told that it can be written to: it has read something.
        let now = Instant.now()
        if stuck.isEmpty { host?.setTimer(Self.patienceTimer, at: now + Self.patience) }
        stuck[key] = now
    }

    // MARK: Calls

    private func take(_ message: [UInt8], _ connection: ControlConnection) {
        guard let call = VarlinkCall(message) else { return connection.fail() }
        connection.isOneway = call.oneway
        do throws(VarlinkError) {
            try answer(ControlRequest(call), call, connection)
        } catch {
            connection.reply(VarlinkReply.error(error))
        }
    }

    private func answer(
        _ request: ControlRequest, _ call: VarlinkCall, _ connection: ControlConnection
    ) throws(VarlinkError) {
        guard let host else { return }
        switch request {
        case .information:
            connection.reply(VarlinkReply.result { ControlInterface.information(&$0) })
        case .description(let interface):
            guard let text = ControlInterface.description(of: interface) else {
                throw .interfaceNotFound(interface)
            }
            connection.reply(VarlinkReply.result { $0.member("description", .text(text)) })
        case .status:
            answer(question(host), connection)
        case .watch(let number):
            guard call.more else {
                return connection.reply(VarlinkReply.events(past.batch(after: number ?? 0), continues: false))
            }
            // The first is told at once, so that the caller knows what is remembered.
            tell(after: number ?? 0, connection)
        case .stop:
            host.post(.stop)
            connection.reply(VarlinkReply.result())
        case .restart(let target, let most):
            if board.standing.isStopping { throw .stopping }
            let (restart, groups) = try Self.restart(target, host)
            connection.task = .roll(groups, fault: nil)
            host.post(.restart(restart, maximumUnavailable: most))
        case .scale(let name, let workers):
            if board.standing.isStopping { throw .stopping }
            guard let reconfiguration, let group = reconfiguration.place(of: name) else {
                throw .noSuchTarget(name)
            }
            let before: Int
            do throws(SupervisorError) { before = try reconfiguration.scale(group, to: workers) } catch {
                throw .scaleFailed(error.description)
            }
            connection.reply(VarlinkReply.result { $0.member("before", .integer(Int64(before))) })
        case .reload:
            if board.standing.isStopping { throw .stopping }
            guard let reload else {
                throw .notSupported("it was started without --config, so there is nothing to read again")
            }
            connection.task = .reload
            reload()
        case .upgrade:
            if board.standing.isStopping { throw .stopping }
            guard let upgrade = host.upgrade else {
                throw .notSupported("this supervisor is part of another program, which is not its to replace")
            }
            connection.task = .upgrade
            upgrade.request()
        }
    }

    private func question(_ host: HostAccess) -> StatusQuestion {
        StatusQuestion(
            board.standing, names: host.names, instance: name, pid: getpid(),
            limits: host.configurations.map(\.limits))
    }

    /// What is to be restarted, and the groups whose rolls that begins.
    private static func restart(
        _ target: String?, _ host: HostAccess
    ) throws(VarlinkError) -> (Restart, Set<Int>) {
        let supervision = host.supervision
        let groups = 0..<supervision.groupCount
        guard let target else { return (.all, Set(groups)) }
        if let group = groups.first(where: { host.names.group($0) == target }) {
            return (.group(group), [group])
        }
        for group in groups {
            let prefix = "\(host.names.group(group))-"
            guard target.hasPrefix(prefix), let number = Int(target.dropFirst(prefix.count)), number >= 1,
                number <= supervision.group(group)?.desired ?? 0
            else { continue }
            let slot = SlotID(group: group, slot: number)
            if host.names.worker(slot) == target { return (.slot(slot), [group]) }
        }
        throw .noSuchTarget(target)
    }

    private func note(_ end: Occurrence.RollEnd, of group: Int, _ names: Names) {
        finish { task in
            guard case .roll(var groups, var fault) = task, groups.remove(group) != nil else { return nil }
            switch end {
            case .completed: break
            case .failed(let id, let reason):
                fault =
                    fault ?? .rollFailed(worker: names.worker(id.slot), reason: reason.rawValue)
            case .stopped: fault = fault ?? .stopping
            }
            task = .roll(groups, fault: fault)
            guard groups.isEmpty else { return nil }
            return fault.map { VarlinkReply.error($0) } ?? VarlinkReply.result()
        }
    }

    /// Answers every client whose task has come to its end.
    ///
    /// - Parameter answer: the reply; nil where the task goes on.
    private func finish(_ answer: (inout ControlConnection.Task) -> [UInt8]?) {
        for (key, connection) in connections {
            guard var task = connection.task else { continue }
            let reply = answer(&task)
            guard let reply else {
                if case .roll = task { connection.task = task }
                continue
            }
            connection.task = nil
            connection.reply(reply)
            connection.send()
            settle(key, connection)
        }
    }

    /// Tells a client that watches the next batch.
    private func tell(after number: UInt64, _ connection: ControlConnection) {
        let batch = past.batch(after: number)
        connection.task = .watch(after: batch.entries.last?.number ?? max(number, past.last))
        connection.reply(VarlinkReply.events(batch, continues: true))
    }

    package func endTurn() {
        tellNews()
    }

    /// Tells those who watch what has occurred; one that still has to read gets it after that.
    private func tellNews() {
        guard hasNews else { return }
        hasNews = false
        for (key, connection) in connections {
            guard case .watch(let number) = connection.task, number < past.last, !connection.isWriting else {
                continue
            }
            tell(after: number, connection)
            connection.send()
            settle(key, connection)
        }
    }

    private func answer(_ question: StatusQuestion, _ connection: ControlConnection) {
        var question = question
        guard let report = question.ask(atMost: Self.cgroupsPerTurn, usage) else {
            connection.task = .status(question)
            return
        }
        connection.task = nil
        connection.reply(VarlinkReply.result { report.write(to: &$0) })
    }

    /// Nil where the incarnation has gone.
    private func usage(_ id: IncarnationID) -> StatusReport.Usage? {
        guard let worker = host?.worker(id) else { return nil }
        var usage = StatusReport.Usage()
        // What a cgroup does not tell, because the controller is missing or it is being removed, is not known.
        if let current = try? worker.cgroup.memoryCurrent() {
            usage.memory = StatusReport.Memory(
                current: current, unreclaimable: try? worker.cgroup.memoryStat().unreclaimable,
                peak: try? worker.cgroup.memoryPeak())
        }
        usage.cpuMicroseconds = try? worker.cgroup.cpuStat().usageMicroseconds
        usage.processes = try? worker.cgroup.pidsCurrent()
        return usage
    }
}

/// A descriptor kept for the moment when no other is left.
private final class Spare {
    private let descriptor: Descriptor?

    init() {
        let result = open("/dev/null", O_RDONLY | O_CLOEXEC)
        descriptor = result >= 0 ? Descriptor(owning: result) : nil
    }
}

extension ControlServer: Remembering {
    /// What one image of the program hands to the next.
    struct Memory: Codable {
        var standing: Standing
        var past: RecentPast.Memory
        var socket: ControlSocket.Memory?
        var connections: [ControlConnection.Memory]
    }

    package var memoryName: String { "control" }

    package func remember() throws -> UpgradeMemory {
        // One that cannot be served any more ends with this image.
        let living = connections.values.filter { !$0.isBroken }.sorted { $0.lastUse < $1.lastUse }
        let memory = Memory(
            standing: board.standing, past: past.memory, socket: socket?.memory,
            connections: living.map(\.memory))
        return UpgradeMemory(
            try JSONEncoder().encode(memory),
            descriptors: memory.connections.map(\.descriptor) + [memory.socket?.listener].compactMap { $0 })
    }

    package func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        board.recall(memory.standing)
        past = RecentPast(memory.past)
        inheritance = memory
    }

    private func takeUp(_ memory: Memory, _ host: HostAccess) {
        self.host = host
        for one in memory.connections {
            admit(ControlConnection(one, question: question(host)))
        }
        guard let socket = memory.socket else { return }
        do throws(ControlSocket.Fault) {
            try listen(to: ControlSocket(adopting: socket), host)
        } catch {
            leave()
            host.tell(
                .hostNotice(sentence: Self.without("the one of the image before cannot be listened to")))
        }
    }
}
