package import CgroupKit
public import Supervision

/// What a supervisor is to do: which groups of workers, under which name, in which cgroup.
public struct Configuration: Sendable {
    /// Where the workers' cgroups are made.
    public enum Place: Hashable, Sendable {
        /// Beneath the cgroup this process is in. `movesProcesses`: put this process, and the others that are
        /// there with it, into a leaf `supervisor` first, as the kernel's rule against processes in inner
        /// nodes asks; without it they stay, and it is an error if controllers cannot be enabled then.
        case own(movesProcesses: Bool)
        /// Beneath this directory, an absolute path in a cgroup2 mount; this process stays where it is.
        case path(String)
    }

    /// Where the control socket is, over which `sergeantcg status` and others reach the supervisor.
    public enum Control: Hashable, Sendable {
        /// There is none.
        case none
        /// Where the commands look for it, named for the instance: `$RUNTIME_DIRECTORY`, `/run/sergeantcg/NAME`, or
        /// `$XDG_RUNTIME_DIR/sergeantcg/NAME`. Where it cannot be had, that is said and supervision goes on without.
        case automatic
        /// This file, in a directory that exists. Where it cannot be had, the supervisor does not start.
        case path(String)
    }

    /// What to do where our own cgroup is not ours to use, and systemd manages it.
    public enum Delegation: String, CaseIterable, Hashable, Sendable {
        /// Ask systemd for a scope that is delegated to us, and move this process into it; not from within a
        /// service, which would leave its own unit.
        case auto
        /// Refuse.
        case never
    }

    /// The name of an instance that was given none.
    public static let defaultName = "default"

    /// Names the instance, and its subtree where it must make one of its own.
    public var name: String
    /// At least one.
    public var groups: [GroupConfiguration]
    /// Where the workers' cgroups are made.
    public var place: Place
    /// Whether systemd may be asked for a cgroup; it never is unless ``place-swift.property`` moves processes.
    public var delegation = Delegation.never
    /// Take SIGTERM, SIGINT, SIGQUIT and SIGHUP as requests to stop, SIGUSR2 as one to be upgraded. A guest in another program leaves signals alone.
    /// A program with other threads calls ``Signals/hold()`` first of all, so that none of those takes them.
    public var handlesSignals: Bool
    /// Hand the workers the sockets that systemd passed to this process (`LISTEN_FDS`, sd_listen_fds(3)), and take
    /// these variables out of the environment. A guest in another program leaves them alone.
    public var takesPassedSockets: Bool
    /// Where the control socket is.
    public var control: Control
    /// The file that gets a line for each incarnation, with all that it took; nil for none. With it the controllers that
    /// account are enabled where they can be had, though no limit needs them.
    public var accounting: String?

    /// A configuration is checked when a ``Supervisor`` is made of it, not here.
    public init(
        name: String = Configuration.defaultName, groups: [GroupConfiguration],
        place: Place = .own(movesProcesses: false),
        handlesSignals: Bool = false, takesPassedSockets: Bool = false, control: Control = .none
    ) {
        self.name = name
        self.groups = groups
        self.place = place
        self.handlesSignals = handlesSignals
        self.takesPassedSockets = takesPassedSockets
        self.control = control
    }
}

/// One group: what its workers run, how many there are, and within which limits.
public struct GroupConfiguration: Hashable, Codable, Sendable {
    /// What a worker is.
    public enum Program: Hashable, Codable, Sendable {
        /// Any program: its name or path, and its arguments.
        case command([String])
        /// A class of the Python framework `sergeant`, run by this interpreter.
        case sergeant(module: String, class: String, python: String)
    }

    /// What the next supervisor in the same cgroup does with the workers of one that was killed.
    public enum LeftoverPolicy: String, Hashable, Codable, Sendable, CaseIterable {
        /// Kills them.
        case kill
        /// Goes on with those whose slot there still is. How they end only their parent would be told: that is known no more.
        case adopt
    }

    /// Names the group's cgroup and, with the slot, each worker.
    public var name: String
    /// What a worker runs.
    public var program: Program
    /// How many there are to be, at least 1.
    public var workers: Int
    /// Within which limits each worker runs.
    public var limits: Limits
    /// The number of the signal that asks a worker to stop.
    public var stopSignal: Int32
    /// From the stop signal to `cgroup.kill`.
    public var stopTimeout: Duration
    /// From the start to readiness; nil is for ever.
    public var startTimeout: Duration?
    /// The workers speak sd_notify(3): each has a `NOTIFY_SOCKET` of its own and is ready when it says so. A `sergeant`
    /// worker is ready when it is initialised or says so, whichever comes first.
    public var notify: Bool
    /// Within which time a worker must say `WATCHDOG=1` again once it is ready, else it is aborted; nil asks for none.
    public var watchdog: Duration?
    /// How many ready workers make the group ready; nil is all of them.
    public var minimumReady: Int?
    /// The wait after a first failure; each further one doubles it.
    public var backOffInitial: Duration
    /// The longest wait after failures.
    public var backOffMaximum: Duration
    /// When to give the group up; nil is never.
    public var intensity: GroupPolicy.Intensity?
    /// How long a worker lives at most before it is recycled, each up to a fifth shorter; nil is for ever.
    public var maximumLifetime: Duration?
    /// Which ends of a worker are followed by another.
    public var restart: GroupPolicy.RestartPolicy
    /// A worker that is renewed works on until its successor is ready, where ``groupMemoryMax`` leaves room for both.
    public var surges: Bool
    /// How long a worker may be above its threshold without a break before it is recycled.
    public var memorySustain: Duration
    /// What becomes of a worker of which the kernel kills a process for its memory.
    public var oomPolicy: GroupPolicy.OOMPolicy
    /// `memory.max` of all workers of the group together, bytes: more, and the kernel kills the largest of them. Nil is
    /// no limit.
    public var groupMemoryMax: UInt64?
    /// What becomes of workers that a supervisor which was killed has left.
    public var onLeftover: LeftoverPolicy
    /// Added to, or put in place of, what the workers inherit.
    public var environment: [String: String]
    /// Where the workers start; nil is the supervisor's own directory.
    public var workingDirectory: String?
    /// Permissions that files which the workers make do not get (umask(2)); nil is the supervisor's own mask.
    public var fileModeMask: UInt32?
    /// Whom the workers run as; nil is the supervisor's own user. Another takes root, or CAP_SETUID, CAP_SETGID and
    /// CAP_KILL.
    public var user: WorkerUser?
    /// Limits of the workers' processes, none twice; nil is the supervisor's own.
    public var resourceLimits: [ResourceLimit]?
    /// The workers gain no privileges by what they execute (PR_SET_NO_NEW_PRIVS, prctl(2)).
    public var noNewPrivileges: Bool
    /// The workers' limit on descriptors; nil is the supervisor's own. One among ``resourceLimits`` stands above it.
    public var openFileLimit: OpenFileLimit?
    /// The workers' `oom_score_adj` (proc(5)), from -1000 to 1000; nil is the supervisor's own.
    public var oomScoreAdjustment: Int32?
    /// Where sockets listen that the workers are handed, beside those that systemd passed (sd_listen_fds(3)).
    public var listen: [ListenAddress]
    /// Where what they print goes.
    public var output: WorkerOutput

    /// - Parameter name: nil takes the last part of the module, or the program's file name.
    public init(
        name: String? = nil, program: Program, workers: Int, limits: Limits = Limits(),
        stopSignal: Int32 = 15,
        stopTimeout: Duration = .seconds(8), startTimeout: Duration? = nil,
        notify: Bool = false, watchdog: Duration? = nil, minimumReady: Int? = nil,
        backOffInitial: Duration = .milliseconds(200), backOffMaximum: Duration = .seconds(30),
        intensity: GroupPolicy.Intensity? = nil, maximumLifetime: Duration? = nil,
        restart: GroupPolicy.RestartPolicy = .always, surges: Bool = false, memorySustain: Duration = .zero,
        oomPolicy: GroupPolicy.OOMPolicy = .kill, groupMemoryMax: UInt64? = nil,
        onLeftover: LeftoverPolicy = .kill, environment: [String: String] = [:],
        workingDirectory: String? = nil, fileModeMask: UInt32? = nil,
        openFileLimit: OpenFileLimit? = nil, oomScoreAdjustment: Int32? = nil, listen: [ListenAddress] = [],
        output: WorkerOutput = .inherit, user: WorkerUser? = nil,
        resourceLimits: [ResourceLimit]? = nil, noNewPrivileges: Bool = false
    ) {
        self.name = name ?? Self.defaultName(of: program)
        self.program = program
        self.workers = workers
        self.limits = limits
        self.stopSignal = stopSignal
        self.stopTimeout = stopTimeout
        self.startTimeout = startTimeout
        self.notify = notify
        self.watchdog = watchdog
        self.minimumReady = minimumReady
        self.backOffInitial = backOffInitial
        self.backOffMaximum = backOffMaximum
        self.intensity = intensity
        self.maximumLifetime = maximumLifetime
        self.restart = restart
        self.surges = surges
        self.memorySustain = memorySustain
        self.oomPolicy = oomPolicy
        self.groupMemoryMax = groupMemoryMax
        self.onLeftover = onLeftover
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.fileModeMask = fileModeMask
        self.openFileLimit = openFileLimit
        self.oomScoreAdjustment = oomScoreAdjustment
        self.listen = listen
        self.output = output
        self.user = user
        self.resourceLimits = resourceLimits
        self.noNewPrivileges = noNewPrivileges
    }

    /// The last part of the module, else the program's file name, made fit to be a directory's name.
    public static func defaultName(of program: Program) -> String {
        let last: Substring?
        switch program {
        case .command(let words): last = words.first?.split(separator: "/").last
        case .sergeant(let module, _, _): last = module.split(separator: ".").last
        }
        let kept = (last ?? "").unicodeScalars.map { scalar -> Character in
            let isFit =
                scalar.isASCII
                && (scalar.properties.isAlphabetic || "0123456789_-".unicodeScalars.contains(scalar))
            return isFit ? Character(scalar) : "_"
        }
        let name = kept.isEmpty ? "worker" : String(kept.prefix(64))
        return name == Subtree.supervisorLeaf ? name + "_" : name
    }

    /// The controllers without which the kernel could not enforce its limits.
    package var controllers: Controllers {
        groupMemoryMax == nil ? limits.controllers : limits.controllers.union(.memory)
    }

    /// The workers have notify sockets: without one they could not serve a watchdog.
    package var notifies: Bool { notify || watchdog != nil }

    /// What it is called in words.
    package var names: Names.Group {
        switch program {
        case .command: Names.Group(name: name)
        case .sergeant(let module, let type, _):
            Names.Group(name: name, workerModule: module, workerClass: type)
        }
    }

    /// What supervision must know of the group.
    package var policy: GroupPolicy {
        var conduct = GroupPolicy.Conduct.program
        if case .sergeant = program { conduct = .sergeant }
        return GroupPolicy(
            name: name, workers: workers, conduct: conduct,
            readiness: conduct == .sergeant || notifies ? .whenReported : .whenStarted,
            stopTimeout: stopTimeout,
            startTimeout: startTimeout, memoryThreshold: limits.memoryThreshold,
            memoryMax: limits.memoryMax, backOffInitial: backOffInitial, backOffMaximum: backOffMaximum,
            intensity: intensity, minimumReady: minimumReady, watchdog: watchdog,
            maximumLifetime: maximumLifetime, restart: restart, surges: surges,
            groupMemoryMax: groupMemoryMax, memorySustain: memorySustain, oomPolicy: oomPolicy)
    }
}
