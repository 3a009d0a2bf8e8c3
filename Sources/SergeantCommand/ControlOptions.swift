internal import ArgumentParser
internal import SergeantCG

/// Which supervisor a command is for.
struct ControlOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The supervisor's control socket.", valueName: "path"))
    var control: String?

    @Option(help: ArgumentHelp("The supervisor's name.", valueName: "name"))
    var name: String?

    /// From here on a command waits for the supervisor, and may be interrupted: it has nothing to clean up.
    func reach() throws(SupervisorError) -> ControlClient {
        Signals.release()
        return try ControlClient.reach(path: control, name: name)
    }
}
