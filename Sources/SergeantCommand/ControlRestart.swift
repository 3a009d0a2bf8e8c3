internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg restart`: returns when the workers are replaced.
struct ControlRestart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Replace workers one by one, each ready before the next.",
        discussion:
            "Ends at the first that does not get ready, with exit status 1; those not replaced yet run on.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    @Argument(help: ArgumentHelp("A group or a worker; all of them without.", valueName: "group|worker"))
    var target: String?

    @Option(help: ArgumentHelp("How many of a group may be missing at a time.", valueName: "n"))
    var maxUnavailable: Int?

    func validate() throws {
        guard maxUnavailable ?? 1 >= 1 else {
            throw ValidationError("--max-unavailable takes 1 or more: with 0 nothing could be replaced.")
        }
    }

    func run() throws {
        var parameters: [String: VarlinkCall.Value] = [:]
        if let target { parameters["target"] = .text(target) }
        if let maxUnavailable { parameters["max_unavailable"] = .integer(Int64(maxUnavailable)) }
        _ = try options.reach().call("Restart", parameters, isQuick: false)
    }
}
