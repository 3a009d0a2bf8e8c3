internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg upgrade`: returns when the new program has taken over.
struct ControlUpgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Replace a supervisor's program by the one that lies in its place now.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    func run() throws {
        _ = try options.reach().call("Upgrade", isQuick: false)
    }
}
