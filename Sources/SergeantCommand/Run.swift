internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// `sergeantcg [run]`: groups of workers, one from the command line or several from a file.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run groups of workers (the default).",
        usage: """
            sergeantcg [run] [options] -- COMMAND [ARG ...]
            sergeantcg [run] [options] --worker-module M --worker-class C
            sergeantcg [run] [options] --config FILE
            """, shouldDisplay: Listing.isWhole)

    @OptionGroup var options: RunOptions

    func run() throws {
        try supervise(after: nil)
    }

    /// - Parameter arrival: what an image of this program before us handed over; nil for a start.
    func supervise(after arrival: UpgradeArrival?) throws {
        let program = UpgradeProgram(arguments: CommandLine.arguments)
        var settings = try options.settings()
        settings.configuration.prepareProcess()
        let pool = try Supervisor(settings.configuration)
        if let arrival, arrival.task == .check {
            try pool.check(arrival)
            return arrival.approve()
        }
        if let parent = options.supervisor.stopWithParent { try ParentWatch.begin(parent) }
        let log = try settings.logFormat.log(
            to: options.supervisor.logDescriptor(), least: settings.logLevel.record,
            instance: settings.configuration.name)
        defer { log.finish() }
        var observers: [any Observer] = [log, ServiceNotification(), StartingMemory()]
        if let path = settings.configuration.accounting { observers.append(try AccountingFile(path: path)) }
        let outcome = try pool.run(
            observers: observers,
            reload: options.isReread ? { () throws(SupervisorError) in try options.reread() } : nil,
            program: program, arrival: arrival)
        if outcome == .failed, !settings.legacyExitCodes { throw ExitCode(1) }
    }
}

/// What `run` is told on the command line.
struct RunOptions: ParsableArguments {
    @OptionGroup(title: "Workers") var workers: WorkerOptions
    @OptionGroup(title: "Limits of each worker") var limits: LimitOptions
    @OptionGroup(title: "Life and death") var life: LifeOptions
    @OptionGroup(title: "The supervisor") var supervisor: SupervisorOptions

    @Argument(parsing: .postTerminator, help: "The worker's program and its arguments, after --.")
    var command: [String] = []

    /// Flags and file together.
    ///
    /// - Parameter needsProgram: false where it does not matter what the workers of the command line are.
    func settings(needsProgram: Bool = true) throws -> RunSettings {
        var flags = try workers.given() + limits.given() + life.given() + supervisor.given()
        if let config = supervisor.config {
            try refuseWhatIsTheFile(flags, config)
            do { return try ConfigurationFile.load(config, overriding: flags) } catch {
                throw SupervisorError(.configuration, error.description)
            }
        }
        if !command.isEmpty { flags.append(try Setting.command.given(.words(command))) }
        if !needsProgram, !flags.contains(where: { $0.setting.scope == .program }) {
            flags.append(try Setting.command.given(.words(["worker"])))
        }
        var settings = RunSettings()
        settings.take(flags)
        var group = GroupSettings()
        group.take(flags)
        do {
            settings.configuration.groups = [try group.configuration(name: nil, notation: .flag)]
        } catch {
            throw ValidationError("\(error.description).")
        }
        if let fault = settings.configuration.fault {
            throw ValidationError(fault.prefix(1).uppercased() + fault.dropFirst())
        }
        return settings
    }

    /// There is a file to read again; and a service manager's `reload` is no request to stop, whatever there is.
    var isReread: Bool { supervisor.config != nil || getenv("NOTIFY_SOCKET") != nil }

    /// Flags and file together, once more.
    func reread() throws(SupervisorError) -> Configuration {
        do {
            var configuration = try settings().configuration
            configuration.prepareProcess()
            return configuration
        } catch let fault as SupervisorError {
            throw fault
        } catch {
            throw SupervisorError(.configuration, "\(error)")
        }
    }

    /// What the groups run is the file's to say: a flag could not say of which group it speaks.
    private func refuseWhatIsTheFile(_ flags: [GivenSetting], _ file: String) throws {
        if let flag = flags.first(where: { $0.setting.scope == .program }) {
            throw ValidationError(
                "--\(flag.setting.name) cannot be given beside --config: write it into a group of \(file).")
        }
        if !command.isEmpty {
            throw ValidationError(
                "A command after -- cannot be given beside --config: write it into a group of \(file).")
        }
    }
}

extension Configuration {
    /// Makes this process fit to supervise, and has the workers get what it was before.
    fileprivate mutating func prepareProcess() {
        Signals.unignoreBrokenPipes()
        let limit = OpenFileLimit.raise()
        let adjustment = OOMScore.protect()
        for index in groups.indices {
            groups[index].openFileLimit = limit
            groups[index].oomScoreAdjustment = adjustment
        }
    }
}
