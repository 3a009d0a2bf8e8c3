internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg reload`: returns when what changed is in effect.
struct ControlReload: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Have a supervisor read its configuration again.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    func run() throws {
        _ = try options.reach().call("Reload", isQuick: false)
    }
}
