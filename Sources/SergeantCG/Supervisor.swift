internal import CLinux
internal import Glibc
public import Logging
public import Supervision
internal import Synchronization

/// A supervisor of groups of workers, each worker in a cgroup v2 of its own.
///
/// As a guest in another program it touches neither the process's signals nor its cgroup unless the
/// ``Configuration`` says so. SIGCHLD must not be ignored: children could not be waited for.
public final class Supervisor: Sendable {
    private let configuration: Configuration
    private let logger: Logger?
    /// An eventfd: `stop()` may be called from any thread.
    private let stopRequest: Descriptor
    private let hasRun = Mutex(false)

    /// - Parameters:
    ///   - configuration: what to run; it is checked here.
    ///   - logger: told of everything that occurs; nil for nobody.
    /// - Throws: ``SupervisorError`` where the configuration contradicts itself, or no descriptor is left.
    public init(_ configuration: Configuration, logger: Logger? = nil) throws(SupervisorError) {
        if let fault = configuration.fault { throw SupervisorError(.configuration, fault) }
        self.configuration = configuration
        self.logger = logger
        let result = eventfd(0, LINUX_EFD_CLOEXEC | LINUX_EFD_NONBLOCK)
        stopRequest = try Descriptor(result, operation: "make an event descriptor", errno: errno)
    }

    /// Supervises on this thread until all workers are stopped, and cleans up.
    ///
    /// - Parameters:
    ///   - observers: told of everything that occurs, on this thread; they must not block.
    ///   - reload: gives the configuration anew where SIGHUP, or a client of the control socket, asks for it. Nil where
    ///     there is nothing to read again: SIGHUP is a request to stop then.
    ///   - program: what this process runs, if it may be replaced in place by a new version (SIGUSR2); nil for a
    ///     guest in another program.
    ///   - arrival: what an image before handed over: it goes on from there and starts nothing.
    /// - Returns: ``Outcome/stopped`` as asked, or ``Outcome/failed`` where the workers cannot go on.
    /// - Throws: ``SupervisorError`` where it cannot start, and nothing is left behind then.
    public func run(
        observers: [any Observer] = [], reload: (() throws(SupervisorError) -> Configuration)? = nil,
        program: UpgradeProgram? = nil, arrival: UpgradeArrival? = nil
    ) throws(SupervisorError) -> Outcome {
        let isFirst = hasRun.withLock { ran in
            defer { ran = true }
            return !ran
        }
        guard isFirst else { throw SupervisorError(.configuration, "a supervisor runs once: make another") }
        guard Signals.childrenAreReapable else {
            throw SupervisorError(
                .configuration, "SIGCHLD is ignored in this process: its children could not be waited for")
        }
        var all = observers
        if let logger { all.append(SwiftLogObserver(logger)) }
        let inheritance = arrival?.state
        var configuration = configuration
        if let inheritance { configuration.groups = inheritance.groups }
        if configuration.control != .none { all.append(ControlServer(configuration)) }
        var passed =
            inheritance == nil && configuration.takesPassedSockets
            ? try PassedDescriptors.take() : PassedDescriptors()
        // What an image before handed over is open already: a limit lowered since then must not end its workers.
        if inheritance == nil {
            try OpenFileLimit.check(for: configuration.groups, sockets: passed.items.count)
        }
        let programs = try GroupPreparation.find(configuration.groups)
        let subtree =
            if let inheritance { Subtree(inheritance.subtree) } else { try Subtree(configuration, &passed) }
        let sockets = ListeningSockets(inheritance?.sockets ?? [])
        sockets.take(passed, for: configuration.groups)
        do {
            let outcome = try supervise(
                Provision(
                    configuration: configuration, subtree: subtree, programs: programs, sockets: sockets,
                    observers: all, reread: reload, program: program, inheritance: inheritance))
            giveBack(subtree, all)
            return outcome
        } catch {
            subtree.killWorkers()
            giveBack(subtree, all)
            throw error
        }
    }

    /// Asks for a stop, from any thread: every worker gets the stop signal, its grace, and its end.
    public func stop() {
        var one: UInt64 = 1
        // EAGAIN: it has been asked for 2^64 times already.
        _ = write(stopRequest.number, &one, 8)
    }

    // MARK: Parts

    /// What one run is made of.
    private struct Provision {
        let configuration: Configuration
        let subtree: Subtree
        let programs: [GroupPreparation.Program]
        let sockets: ListeningSockets
        let observers: [any Observer]
        let reread: (() throws(SupervisorError) -> Configuration)?
        let program: UpgradeProgram?
        let inheritance: UpgradeState?
    }

    private func supervise(_ run: Provision) throws(SupervisorError) -> Outcome {
        let (configuration, subtree, sockets) = (run.configuration, run.subtree, run.sockets)
        // What an earlier supervisor left, workers that hold these sockets too, is gone by now.
        defer { sockets.removeFiles() }
        let prefixed = prefixedOutput(of: configuration.groups)
        let preparation = GroupPreparation(subtree: subtree, sockets: sockets, prefixed: prefixed)
        let groups = try preparation.prepare(run.programs)
        if run.inheritance == nil, configuration.takesPassedSockets { sockets.store() }
        let reconfiguration = Reconfiguration(configuration, preparation: preparation)
        let reload = run.reread.map { Reload(of: reconfiguration, read: $0) }
        for case let server as ControlServer in run.observers {
            server.reconfiguration = reconfiguration
            server.reload = reload.map { reload in { reload.begin() } }
        }
        let store =
            configuration.takesPassedSockets
            ? WorkerStore(for: configuration.groups, others: sockets.all.count) : nil
        // What is told by a part at the end of a turn reaches the observers in the same turn.
        var parts: [any LoopPart] = [reconfiguration]
        var observers = run.observers
        if let reload {
            parts.append(reload)
            observers.append(reload)
        }
        parts += run.observers.compactMap { $0 as? any LoopPart }
        if let prefixed { parts.append(prefixed) }
        if let store {
            parts.append(store)
            observers.append(store)
        }
        let host = try Host(
            configuration: configuration, subtree: subtree, groups: groups,
            names: names(subtree, configuration.groups),
            observers: observers, parts: parts, sockets: sockets, upgrade: run.program.map { Upgrade($0) },
            inheritance: run.inheritance,
            stopRequest: stopRequest.number, seed: UInt64.random(in: .min ... .max))
        return try withExtendedLifetime(preparation) { () throws(SupervisorError) in try host.run() }
    }

    /// Says whether this program, with this configuration, could go on with what was handed over.
    ///
    /// - Throws: ``SupervisorError`` with the reason why not.
    public func check(_ arrival: UpgradeArrival) throws(SupervisorError) {
        _ = try GroupPreparation.find(arrival.state.groups)
    }

    private func giveBack(_ subtree: Subtree, _ observers: [any Observer]) {
        let names = names(subtree, configuration.groups)
        for fault in subtree.giveBack() {
            for observer in observers { observer.observe(.hostTrouble(nil, sentence: fault), named: names) }
        }
    }

    /// What the groups share whose workers' lines are marked.
    private func prefixedOutput(of groups: [GroupConfiguration]) -> PrefixedOutput? {
        guard groups.contains(where: { $0.output == .prefix }) else { return nil }
        let width = groups.map { $0.name.count + 1 + "\($0.workers)".count }.max() ?? 0
        return PrefixedOutput(
            descriptor: STDOUT_FILENO, isColoured: isatty(STDOUT_FILENO) == 1, width: width)
    }

    private func names(_ subtree: Subtree, _ groups: [GroupConfiguration]) -> Names {
        Names(
            groups: groups.map(\.names), root: subtree.place == "/" ? "" : subtree.place)
    }
}
