internal import ArgumentParser
internal import Glibc
internal import SergeantCG
internal import Supervision

/// `sergeantcg [run]`: one group of workers from the command line.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one group of workers (the default).",
        usage: """
            sergeantcg [run] [options] -- COMMAND [ARG ...]
            sergeantcg [run] [options] --worker-module M --worker-class C
            """)

    @OptionGroup(title: "Workers") var workers: WorkerOptions
    @OptionGroup(title: "Limits of each worker") var limits: LimitOptions
    @OptionGroup(title: "Life and death") var life: LifeOptions
    @OptionGroup(title: "The supervisor") var supervisor: SupervisorOptions

    @Argument(parsing: .postTerminator, help: "The worker's program and its arguments, after --.")
    var command: [String] = []

    func run() throws {
        let configuration = try supervisorConfiguration()
        if let fault = configuration.fault {
            throw ValidationError(fault.prefix(1).uppercased() + fault.dropFirst())
        }
        let log = try supervisor.logFormat.log(least: supervisor.logLevel.record, instance: supervisor.name)
        defer { log.finish() }
        let outcome = try Supervisor(configuration).run(observers: [log, ServiceNotification()])
        if outcome == .failed, !supervisor.legacyExitCodes { throw ExitCode(1) }
    }

    private func supervisorConfiguration() throws -> Configuration {
        Configuration(
            name: supervisor.name, groups: [try group()],
            place: supervisor.cgroup.map { .path($0) } ?? .own(movesProcesses: true), handlesSignals: true,
            takesPassedSockets: true)
    }

    private func group() throws -> GroupConfiguration {
        GroupConfiguration(
            program: try program(), workers: workers.concurrentWorkers, limits: limits.limits,
            stopSignal: life.stopSignal, stopTimeout: life.stopTimeout,
            startTimeout: life.startTimeout == .zero ? nil : life.startTimeout,
            backOffInitial: life.backoffInitial,
            backOffMaximum: life.backoffMax, intensity: life.maxFailures,
            openFileLimit: OpenFileLimit.raise(),
            listen: workers.listen)
    }

    private func program() throws -> GroupConfiguration.Program {
        switch (workers.workerModule, workers.workerClass, command.isEmpty) {
        case (let module?, let name?, true):
            return .sergeant(module: module, class: name, python: workers.python)
        case (nil, nil, false):
            return .command(command)
        case (nil, nil, true):
            throw ValidationError(
                "There is nothing to run: give a command after --, or --worker-module and --worker-class "
                    + "(sergeantcg --help shows how).")
        case (_?, nil, _): throw ValidationError("--worker-module needs --worker-class too.")
        case (nil, _?, _): throw ValidationError("--worker-class needs --worker-module too.")
        case (_?, _?, false):
            throw ValidationError(
                "Give either --worker-module and --worker-class, or a command after --, not both.")
        }
    }
}

struct WorkerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How many workers; auto: one for each CPU that may be used. (default: 1)", valueName: "N|auto"),
        transform: WorkerCount.parse)
    var concurrentWorkers = 1

    @Option(help: ArgumentHelp("The Python module of a sergeant worker.", valueName: "module"))
    var workerModule: String?

    @Option(help: ArgumentHelp("The worker's class in it.", valueName: "class"))
    var workerClass: String?

    @Option(help: ArgumentHelp("The interpreter of sergeant workers.", valueName: "program"))
    var python = "python3"

    @Option(
        help: ArgumentHelp(
            "A socket that the workers are handed (LISTEN_FDS), beside those of systemd: [NAME=]tcp://ADDRESS:PORT or "
                + "[NAME=]unix:///PATH[,mode=OCTAL]. May be given again.",
            valueName: "address"),
        transform: { try ListenAddress(parsing: $0) })
    var listen: [ListenAddress] = []
}

struct LimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Recycle a worker that holds more than this and cannot give it back (memory.high).",
            valueName: "size"),
        transform: Size.parse)
    var maxWorkerMemoryUsage: Size?

    @Option(
        help: ArgumentHelp("The kernel kills a worker that takes more (memory.max).", valueName: "size"),
        transform: Size.parse)
    var memoryMax: Size?

    @Option(
        help: ArgumentHelp(
            "Swap a worker may use (memory.swap.max); none where memory is limited.", valueName: "size"),
        transform: Size.parse)
    var swapMax: Size?

    @Option(
        help: ArgumentHelp("Processes and threads a worker may have (pids.max).", valueName: "count"),
        transform: Count.parse)
    var pidsMax: Count?

    var limits: Limits {
        Limits(
            memoryThreshold: maxWorkerMemoryUsage?.limit, memoryMax: memoryMax?.limit,
            swapMax: swapMax?.bytes, pidsMax: pidsMax?.limit)
    }
}

struct LifeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The signal that asks a worker to stop. (default: TERM)", valueName: "signal"),
        transform: SignalName.parse)
    var stopSignal = SIGTERM

    @Option(
        help: ArgumentHelp("From the stop signal to the kill. (default: 8)", valueName: "time"),
        transform: Time.parse)
    var stopTimeout = Duration.seconds(8)

    @Option(
        help: ArgumentHelp("From the start to readiness. (default: 0, for ever)", valueName: "time"),
        transform: Time.parse)
    var startTimeout = Duration.zero

    @Option(
        help: ArgumentHelp(
            "The wait after a first failure; doubled after each further one. (default: 200ms)",
            valueName: "time"),
        transform: Time.parse)
    var backoffInitial = Duration.milliseconds(200)

    @Option(
        help: ArgumentHelp("The longest wait after failures. (default: 30)", valueName: "time"),
        transform: Time.parse)
    var backoffMax = Duration.seconds(30)

    @Option(
        help: ArgumentHelp(
            "Give up after more than N failures within so many seconds. (default: never)",
            valueName: "N/seconds"),
        transform: FailureLimit.parse)
    var maxFailures: GroupPolicy.Intensity?
}

struct SupervisorOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Names this instance and the cgroup it makes.", valueName: "name"))
    var name = Configuration.defaultName

    @Option(help: ArgumentHelp("Make the workers' cgroups beneath this one.", valueName: "path"))
    var cgroup: String?

    @Option(
        help: ArgumentHelp(
            "auto: to the journal where it is stderr, in colour on a terminal.",
            valueName: "auto|text|json|journal"))
    var logFormat = LogFormat.auto

    @Option(help: ArgumentHelp("The least that is logged.", valueName: "debug|info|warning|error|critical"))
    var logLevel = LogLevel.info

    @Flag(
        help:
            "Exit as python3 -m sergeant.supervisor does: 0 even after a failure, 2 for a wrong command line."
    )
    var legacyExitCodes = false
}
