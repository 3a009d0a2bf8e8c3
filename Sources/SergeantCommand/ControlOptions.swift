internal import ArgumentParser
internal import SergeantCG

/// Which supervisor a command is for.
struct ControlOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The supervisor's control socket.", valueName: "path"))
    var control: String?

    @Option(help: ArgumentHelp("The supervisor's name.", valueName: "name"))
    var name: String?

    func reach() throws(SupervisorError) -> ControlClient {
        try ControlClient.reach(path: control, name: name)
    }
}
