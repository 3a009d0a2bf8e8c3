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

    func validate() throws {
        if let fault = try supervisorConfiguration().fault {
            throw ValidationError(fault.prefix(1).uppercased() + fault.dropFirst())
        }
    }

    func run() throws {
        let log = LogLines(
            descriptor: STDERR_FILENO, format: supervisor.logFormat.lines, least: supervisor.logLevel.record)
        defer { log.finish() }
        let outcome = try Supervisor(supervisorConfiguration()).run(observers: [log, ServiceNotification()])
        if outcome == .failed, !supervisor.legacyExitCodes { throw ExitCode(1) }
    }

    private func supervisorConfiguration() throws -> Configuration {
        Configuration(
            name: supervisor.name, groups: [try group()],
            place: supervisor.cgroup.map { .path($0) } ?? .own(movesProcesses: true), handlesSignals: true)
    }

    private func group() throws -> GroupConfiguration {
        GroupConfiguration(
            program: try program(), workers: workers.concurrentWorkers.number, limits: limits.limits,
            stopSignal: life.stopSignal.number, stopTimeout: life.stopTimeout.duration,
            startTimeout: life.startTimeout.limit, backOffInitial: life.backoffInitial.duration,
            backOffMaximum: life.backoffMax.duration, intensity: life.maxFailures?.intensity)
    }

    private func program() throws -> GroupConfiguration.Program {
        switch (workers.workerModule, workers.workerClass, command.isEmpty) {
        case (let module?, let name?, true):
            return .sergeant(module: module, class: name, python: workers.python)
        case (nil, nil, false):
            return .command(command)
        case (nil, nil, true):
            throw ValidationError(
                "There is nothing to run: give a command after --, or --worker-module and --worker-class.")
        case (_?, nil, _): throw ValidationError("--worker-module needs --worker-class too.")
        case (nil, _?, _): throw ValidationError("--worker-class needs --worker-module too.")
        case (_?, _?, false):
            throw ValidationError("Give either --worker-module and --worker-class, or a command after --, not both.")
        }
    }
}

struct WorkerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How many workers; auto: one for each CPU that may be used.", valueName: "N|auto"))
    var concurrentWorkers = WorkerCount(number: 1)

    @Option(help: ArgumentHelp("The Python module of a sergeant worker.", valueName: "module"))
    var workerModule: String?

    @Option(help: ArgumentHelp("The worker's class in it.", valueName: "class"))
    var workerClass: String?

    @Option(help: ArgumentHelp("The interpreter of sergeant workers.", valueName: "program"))
    var python = "python3"
}

struct LimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Recycle a worker that holds more than this and cannot give it back (memory.high).", valueName: "size"))
    var maxWorkerMemoryUsage: Size?

    @Option(help: ArgumentHelp("The kernel kills a worker that takes more (memory.max).", valueName: "size"))
    var memoryMax: Size?

    @Option(help: ArgumentHelp("Swap a worker may use (memory.swap.max); none where memory is limited.", valueName: "size"))
    var swapMax: Size?

    @Option(help: ArgumentHelp("Processes and threads a worker may have (pids.max).", valueName: "count"))
    var pidsMax: Count?

    var limits: Limits {
        Limits(
            memoryThreshold: maxWorkerMemoryUsage?.limit, memoryMax: memoryMax?.limit, swapMax: swapMax?.bytes,
            pidsMax: pidsMax?.limit)
    }
}

struct LifeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The signal that asks a worker to stop.", valueName: "signal"))
    var stopSignal = SignalName(number: SIGTERM)

    @Option(help: ArgumentHelp("From the stop signal to the kill.", valueName: "time"))
    var stopTimeout = Time(duration: .seconds(8))

    @Option(help: ArgumentHelp("From the start to readiness; 0: for ever.", valueName: "time"))
    var startTimeout = Time(duration: .zero)

    @Option(help: ArgumentHelp("The wait after a first failure; doubled after each further one.", valueName: "time"))
    var backoffInitial = Time(duration: .milliseconds(200))

    @Option(help: ArgumentHelp("The longest wait after failures.", valueName: "time"))
    var backoffMax = Time(duration: .seconds(30))

    @Option(
        help: ArgumentHelp("Give up after more than N failures within so many seconds.", valueName: "N/seconds"))
    var maxFailures: FailureLimit?
}

struct SupervisorOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Names this instance and the cgroup it makes.", valueName: "name"))
    var name = "default"

    @Option(help: ArgumentHelp("Make the workers' cgroups beneath this one.", valueName: "path"))
    var cgroup: String?

    @Option(help: ArgumentHelp("auto: colour on a terminal.", valueName: "auto|text|json"))
    var logFormat = LogFormat.auto

    @Option(help: ArgumentHelp("The least that is logged.", valueName: "debug|info|warning|error|critical"))
    var logLevel = LogLevel.info

    @Flag(help: "Exit as python3 -m sergeant.supervisor does: 0 even after a failure, 2 for a wrong command line.")
    var legacyExitCodes = false
}
