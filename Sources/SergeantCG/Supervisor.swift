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
    /// - Parameter observers: told of everything that occurs, on this thread; they must not block.
    /// - Returns: ``Outcome/stopped`` as asked, or ``Outcome/failed`` where the workers cannot go on.
    /// - Throws: ``SupervisorError`` where it cannot start, and nothing is left behind then.
    public func run(observers: [any Observer] = []) throws(SupervisorError) -> Outcome {
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
        let needsLauncher = configuration.groups.contains { group in
            if case .sergeant = group.program { true } else { false }
        }
        let sockets = ListeningSockets()
        if configuration.takesPassedSockets { try sockets.takePassed(for: configuration.groups) }
        try OpenFileLimit.check(for: configuration.groups, sockets: sockets.all.count)
        let programs = try findPrograms()
        let launcher = needsLauncher ? try LauncherImage() : nil
        let subtree = try Subtree(configuration)
        do {
            let outcome = try supervise(subtree, programs, launcher, sockets, all)
            giveBack(subtree, all)
            return outcome
        } catch {
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

    private func supervise(
        _ subtree: Subtree, _ programs: [String], _ launcher: LauncherImage?, _ sockets: ListeningSockets,
        _ observers: [any Observer]
    ) throws(SupervisorError) -> Outcome {
        // What an earlier supervisor left, workers that hold these sockets too, is gone by now.
        defer { sockets.removeFiles() }
        try sockets.open(for: configuration.groups)
        if configuration.takesPassedSockets { sockets.store() }
        let ignored = Signals.ignored()
        var groups: [GroupHost] = []
        for (group, executable) in zip(configuration.groups, programs) {
            var isSergeant = false
            if case .sergeant = group.program { isSergeant = true }
            groups.append(
                try GroupHost(
                    group, executable: executable, launcher: isSergeant ? launcher?.descriptor.number : nil,
                    subtree: subtree, sockets: sockets.handed(to: group), resetSignals: ignored))
        }
        let host = try Host(
            configuration: configuration, subtree: subtree, groups: groups, names: names(subtree),
            observers: observers, parts: observers.compactMap { $0 as? any LoopPart },
            stopRequest: stopRequest.number, seed: UInt64.random(in: .min ... .max))
        return try withExtendedLifetime(launcher) { () throws(SupervisorError) in try host.run() }
    }

    private func giveBack(_ subtree: Subtree, _ observers: [any Observer]) {
        let names = names(subtree)
        for fault in subtree.giveBack() {
            for observer in observers { observer.observe(.hostTrouble(nil, sentence: fault), named: names) }
        }
    }

    private func names(_ subtree: Subtree) -> Names {
        let groups = configuration.groups.map { group in
            switch group.program {
            case .command: Names.Group(name: group.name)
            case .sergeant(let module, let name, _):
                Names.Group(name: group.name, workerModule: module, workerClass: name)
            }
        }
        return Names(groups: groups, root: subtree.place == "/" ? "" : subtree.place)
    }

    /// A program that is not there is known before the first worker, and before anything is changed.
    private func findPrograms() throws(SupervisorError) -> [String] {
        var found: [String] = []
        for group in configuration.groups {
            let program =
                switch group.program {
                case .command(let words): words[0]
                case .sergeant(_, _, let python): python
                }
            let path = group.environment["PATH"] ?? getenv("PATH").map { String(cString: $0) }
            switch ProgramSearch.find(program, path: path, from: group.workingDirectory) {
            case .found(let executable): found.append(executable)
            case .failed(let sentence): throw SupervisorError(.cannotRun, sentence)
            }
        }
        return found
    }
}
