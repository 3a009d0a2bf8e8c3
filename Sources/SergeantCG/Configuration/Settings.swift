internal import Supervision

/// All options of `run`, each in one place: the command line's flags and the keys of a configuration file are
/// made from these. A new one is a row here, its name in ``Setting/all``, and a property in `RunOptions`, which
/// a test holds against each other.
extension Setting {
    // MARK: What a worker is

    package static let workerModule = group(
        "worker-module", .text("module", .text(least: 1)), "The Python module of a sergeant worker.",
        scope: .program
    ) { $0.module = $1 }

    package static let workerClass = group(
        "worker-class", .text("class", .text(least: 1)), "The worker's class in it.", scope: .program
    ) { $0.workerClass = $1 }

    package static let command = group(
        "command", .words("[word, …]"), "The worker's program and its arguments, after --.", scope: .program
    ) { $0.command = $1 }

    package static let python = group(
        "python", .text("program"), "The interpreter of sergeant workers.", standard: "python3"
    ) { $0.python = $1 }

    package static let concurrentWorkers = group(
        "concurrent-workers", .workers, "How many workers; auto: one for each CPU that may be used.",
        standard: "1"
    ) { $0.group.workers = $1 }

    package static let env = group(
        "env", .variables, "A variable of the workers' environment. May be given again."
    ) { $0.group.environment.merge($1) { _, new in new } }

    package static let envFile = group(
        "env-file", .environmentFiles,
        "Lines of NAME=VALUE, as systemd's EnvironmentFile= has them; --env stands above. May be given again."
    ) { $0.variablesFromFiles = $1 }

    package static let workingDirectory = group(
        "working-directory", .text("directory", .text(least: 1)),
        "Where the workers start, and where their program's relative path begins.",
        standard: "the supervisor's"
    ) { $0.group.workingDirectory = $1 }

    package static let umask = group(
        "umask", .fileModeMask, "Permissions that files of the workers do not get.",
        standard: "the supervisor's"
    ) { $0.group.fileModeMask = $1 }

    package static let user = group(
        "user", .workerUser,
        "Whom the workers run as, with the groups of a login: user and group by name or number. Needs root.",
        standard: "the supervisor's"
    ) { $0.group.user = $1 }

    package static let noNewPrivileges = group(
        "no-new-privileges", .flag,
        "The workers gain no privileges by what they execute: set-user-ID programs do not change the user."
    ) { $0.group.noNewPrivileges = $1 }

    package static let rlimit = group(
        "rlimit", .resourceLimits,
        "A limit of each process, of setrlimit(2): \(ResourceLimit.form). May be given again.",
        standard: "the supervisor's"
    ) { settings, limits in
        let kept = (settings.group.resourceLimits ?? []).filter { old in
            !limits.contains { $0.resource == old.resource }
        }
        settings.group.resourceLimits = kept + limits
    }

    package static let listen = group(
        "listen", .listenAddresses,
        "A socket that the workers are handed (LISTEN_FDS), beside those of systemd: \(ListenAddress.form). "
            + "May be given again."
    ) { $0.group.listen = $1 }

    package static let output = group(
        "output", .output,
        "Where what the workers print goes: where the supervisor's does; there with their names before it; the "
            + "journal, each under its name; a file.",
        standard: "inherit"
    ) { $0.group.output = $1 }

    // MARK: Limits of each worker

    package static let maxWorkerMemoryUsage = group(
        "max-worker-memory-usage", .size(least: Configuration.leastMemory),
        "Recycle a worker that holds more than this and cannot give it back (memory.high)."
    ) { $0.group.limits.memoryThreshold = $1.limit }

    package static let memoryMax = group(
        "memory-max", .size(least: Configuration.leastMemory),
        "The kernel kills a worker that takes more (memory.max)."
    ) { $0.group.limits.memoryMax = $1.limit }

    package static let swapMax = group(
        "swap-max", .size(), "Swap a worker may use (memory.swap.max); none where memory is limited."
    ) { $0.group.limits.swapMax = $1.bytes }

    package static let zswapMax = group(
        "zswap-max", .size(),
        "Of its swap, what may be held compressed in memory (memory.zswap.max)."
    ) { $0.group.limits.zswapMax = $1.bytes }

    package static let memorySustain = group(
        "memory-sustain", .time,
        "How long a worker may be above --max-worker-memory-usage without a break before it is recycled.",
        standard: "0"
    ) { $0.group.memorySustain = $1 }

    package static let memoryPressure = group(
        "memory-pressure", .pressure,
        "Recycle a worker that stands still for want of memory so long within such a time (memory.pressure).",
        standard: "0, never"
    ) { $0.group.limits.memoryPressure = $1 }

    package static let oomPolicy = group(
        "oom-policy", ValueForm<GroupPolicy.OOMPolicy>.oneOfThese,
        "Where the kernel kills a process of a worker for its memory: kill all of the worker, or go on without it "
            + "(memory.oom.group).",
        standard: "kill"
    ) { $0.group.oomPolicy = $1 }

    package static let groupMemoryMax = group(
        "group-memory-max", .size(least: Configuration.leastMemory),
        "Of all workers of the group together: more, and the kernel kills the largest (memory.max of the group)."
    ) { $0.group.groupMemoryMax = $1.limit }

    package static let pidsMax = group(
        "pids-max", .count(upTo: Configuration.mostProcesses),
        "Processes and threads a worker may have (pids.max)."
    ) { $0.group.limits.pidsMax = $1.limit }

    package static let cpuMax = group(
        "cpu-max", .cpus, "CPUs a worker may use in all, as 1.5 (cpu.max)."
    ) { $0.group.limits.cpuMax = $1 }

    package static let cpuWeight = group(
        "cpu-weight", .weight, "Its share where CPUs are short: 1 to 10000 (cpu.weight).", standard: "100"
    ) { $0.group.limits.cpuWeight = $1 }

    package static let ioWeight = group(
        "io-weight", .weight, "Its share where devices are busy: 1 to 10000 (io.weight).", standard: "100"
    ) { $0.group.limits.ioWeight = $1 }

    package static let ioMax = group(
        "io-max", .deviceLimits,
        "What it may read and write of a block device in a second (io.max): \(IOLimit.form). May be given again."
    ) { $0.group.limits.ioMax = $1.isEmpty ? nil : $1 }

    // MARK: Life and death

    package static let stopSignal = group(
        "stop-signal", .signal, "The signal that asks a worker to stop.", standard: "TERM"
    ) { $0.group.stopSignal = $1 }

    package static let stopTimeout = group(
        "stop-timeout", .time, "From the stop signal to the kill.", standard: "8"
    ) { $0.group.stopTimeout = $1 }

    package static let startTimeout = group(
        "start-timeout", .time, "From the start to readiness.", standard: "0, for ever"
    ) { $0.group.startTimeout = $1 == .zero ? nil : $1 }

    package static let notify = group(
        "notify", .flag, "The workers speak sd_notify: ready when they say so."
    ) { $0.group.notify = $1 }

    package static let watchdog = group(
        "watchdog", .time,
        "Abort a worker that does not say WATCHDOG=1 again within this time; includes --notify.",
        standard: "0, never"
    ) { $0.group.watchdog = $1 == .zero ? nil : $1 }

    package static let maxLifetime = group(
        "max-lifetime", .time,
        "Recycle a worker that has lived so long; each lives up to a fifth shorter, so that not all go at once.",
        standard: "0, for ever"
    ) { $0.group.maximumLifetime = $1 == .zero ? nil : $1 }

    package static let restart = group(
        "restart", ValueForm<GroupPolicy.RestartPolicy>.oneOfThese,
        "Which ends of a worker are followed by another. When none is left to follow, the supervisor ends.",
        standard: "always"
    ) { $0.group.restart = $1 }

    package static let surge = group(
        "surge", .flag,
        "On a restart, or at the end of its lifetime, a worker works on until its successor is ready, where "
            + "--group-memory-max leaves room for both."
    ) { $0.group.surges = $1 }

    package static let onLeftover = group(
        "on-leftover", ValueForm<GroupConfiguration.LeftoverPolicy>.oneOfThese,
        "Workers that a killed supervisor left in this cgroup: kill them, or go on with them.",
        standard: "kill"
    ) { $0.group.onLeftover = $1 }

    package static let backoffInitial = group(
        "backoff-initial", .time, "The wait after a first failure; doubled after each further one.",
        standard: "200ms"
    ) { $0.group.backOffInitial = $1 }

    package static let backoffMax = group(
        "backoff-max", .time, "The longest wait after failures.", standard: "30"
    ) { $0.group.backOffMaximum = $1 }

    package static let minReady = group(
        "min-ready", .count(), "So many ready workers make the group ready; 0 is all of them.",
        standard: "0"
    ) { $0.group.minimumReady = $1.limit.map { Int(clamping: $0) } }

    package static let maxFailures = group(
        "max-failures", .failureLimit, "Give up after more than N failures within so many seconds.",
        standard: "never"
    ) { $0.group.intensity = $1 }

    // MARK: The supervisor

    package static let name = supervisor(
        "name", .text("name", Configuration.nameSpelling), "Names this instance and the cgroup it makes.",
        standard: Configuration.defaultName
    ) { $0.configuration.name = $1 }

    package static let cgroup = supervisor(
        "cgroup", .text("path", Configuration.cgroupSpelling), "Make the workers' cgroups beneath this one."
    ) { $0.configuration.place = .path($1) }

    package static let control = supervisor(
        "control", .controlPlace,
        "The control socket, for status and stop; none leaves it out.",
        standard: "/run/sergeantcg/NAME/control"
    ) { $0.configuration.control = $1 }

    package static let delegate = supervisor(
        "delegate", ValueForm<Configuration.Delegation>.oneOfThese,
        "auto: where the cgroup is not ours to use, ask systemd for a scope of our own.", standard: "auto"
    ) { $0.configuration.delegation = $1 }

    package static let accounting = supervisor(
        "accounting", .text("file", .text(least: 1)),
        "A line of JSON for each incarnation at its end, with all that it took."
    ) { $0.configuration.accounting = $1 }

    package static let logFormat = supervisor(
        "log-format", ValueForm<LogFormat>.oneOfThese,
        "auto: to the journal where it is stderr, in colour on a terminal.", standard: "auto"
    ) { $0.logFormat = $1 }

    package static let logLevel = supervisor(
        "log-level", ValueForm<LogLevel>.oneOfThese, "The least that is logged.", standard: "info"
    ) { $0.logLevel = $1 }

    package static let legacyExitCodes = supervisor(
        "legacy-exit-codes", .flag,
        "Exit as python3 -m sergeant.supervisor does: 0 even after a failure, 2 for a wrong command line."
    ) { $0.legacyExitCodes = $1 }

    // MARK: All of them

    /// In the order in which a person is told of them.
    package static let all: [Setting] = [
        concurrentWorkers, workerModule, workerClass, command, python, env, envFile,
        workingDirectory, umask, user, noNewPrivileges, rlimit, listen, output,
        maxWorkerMemoryUsage, memorySustain, memoryMax, oomPolicy, memoryPressure, swapMax, zswapMax,
        groupMemoryMax, pidsMax, cpuMax, cpuWeight, ioWeight, ioMax,
        maxLifetime, restart, surge, onLeftover, stopSignal, stopTimeout, startTimeout, notify, watchdog,
        minReady, backoffInitial, backoffMax,
        maxFailures,
        name, cgroup, delegate, control, accounting, logFormat, logLevel, legacyExitCodes,
    ]

    package static func named(_ name: String) -> Setting? { all.first { $0.name == name } }
}
