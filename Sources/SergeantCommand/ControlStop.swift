internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg stop`: returns when the supervisor and all its workers are gone.
struct ControlStop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop a supervisor and wait until it is gone.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    func run() throws {
        let client = try options.reach()
        _ = try client.call("Stop")
        client.waitForEnd()
    }
}
