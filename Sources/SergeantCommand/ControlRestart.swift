internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg restart`: returns when the workers are replaced.
struct ControlRestart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Replace workers one by one, each ready before the next.",
        shouldDisplay: false)

    @OptionGroup var options: ControlOptions

    @Argument(help: ArgumentHelp("A group or a worker; all of them without.", valueName: "group|worker"))
    var target: String?

    func run() throws {
        let parameters = target.map { ["target": VarlinkCall.Value.text($0)] } ?? [:]
        _ = try options.reach().call("Restart", parameters, isQuick: false)
    }
}
