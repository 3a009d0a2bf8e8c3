internal import ArgumentParser
internal import Glibc
internal import SergeantCG

@main
struct Sergeantcg: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sergeantcg",
        abstract: "Keeps a pool of workers running, each in a cgroup of its own.",
        usage: """
            sergeantcg [options] -- COMMAND [ARG ...]
            sergeantcg [options] --worker-module M --worker-class C
            sergeantcg [options] --config FILE
            """,
        discussion: """
            The three options that matter first:
              --concurrent-workers 4           how many
              --max-worker-memory-usage 400M   a worker that holds more is recycled
              --memory-max 512M                one that takes more is killed

            Try it:       sergeantcg --concurrent-workers 4 --memory-max 512M -- ./worker
            All options:  sergeantcg run --help
            Besides run:  check doctor status top events metrics exporter report scale
                          restart reload upgrade stop
            """,
        version: Version.current,
        subcommands: [
            Run.self, Check.self, Doctor.self, Report.self, ControlStatus.self, ControlTop.self,
            ControlMetrics.self,
            ControlEvents.self, ControlStop.self, ControlScale.self, ControlRestart.self, ControlReload.self,
            ControlUpgrade.self, ExporterProgram.self,
        ],
        defaultSubcommand: Run.self)

    static func main() {
        // First of all: a signal that comes now is a request to stop, not the end of an unwatched process.
        Signals.hold()
        var arguments = Array(CommandLine.arguments.dropFirst())
        let isLegacy = arguments.prefix { $0 != "--" }.contains("--legacy-exit-codes")
        let log = LastWord(arguments)
        do {
            try StandardDescriptors.fill()
            let arrival = try UpgradeArrival.find(&arguments)
            StandardDescriptors.leaveKeyboard()
            let line = try UpstreamArguments.normalised(arguments)
            var command = try Sergeantcg.parseAsRoot(line)
            guard let arrival else { return try command.run() }
            guard let run = command as? Run else {
                throw ValidationError("Only a supervisor that runs can be upgraded.")
            }
            try run.supervise(after: arrival)
        } catch {
            end(with: error, isLegacy: isLegacy, log: log)
        }
    }

    /// One sentence and an exit status; the whole help only where it was asked for.
    private static func end(with error: any Error, isLegacy: Bool, log: LastWord) -> Never {
        if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
        if let fault = error as? SupervisorError {
            ServiceNotification.tellFailure(fault)
            log.say(fault.description)
            Glibc.exit(fault.exitCode)
        }
        if Sergeantcg.exitCode(for: error) == .success {
            print(Sergeantcg.fullMessage(for: error))
            Glibc.exit(0)
        }
        log.say(Sergeantcg.message(for: error).split(separator: "\n").joined(separator: " "))
        Glibc.exit(isLegacy ? 2 : EX_USAGE)
    }
}
