internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// `sergeantcg events`: what occurred lately; with `--follow`, what does from now on too, until the supervisor ends.
struct ControlEvents: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what occurred lately, and what does.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    @Flag(name: .shortAndLong, help: "Go on with what occurs, until the supervisor ends.")
    var follow = false

    @Flag(help: "Print each as a line of the JSON log.")
    var json = false

    @Option(help: ArgumentHelp("Begin so long ago: 90s, 10min.", valueName: "duration"))
    var since: ElapsedTime?

    func run() throws {
        let client = try options.reach()
        let earliest = since?.beginning ?? ""
        var last: UInt64 = 0
        // Without --follow an answer has a part of what is remembered.
        repeat {
            let before = last
            try client.watch(after: last, follows: follow) { batch in
                // What was forgotten before the first question is no loss.
                if batch.lost > 0, last > 0 {
                    LastWord([]).say(
                        "\(batch.lost) events came faster than they were read, and are forgotten")
                }
                for event in batch.events where event.time >= earliest { tell(event) }
                last = batch.events.last?.number ?? last
                // Whoever reads it waits for it.
                _ = fflush(nil)
            }
            if last == before { return }
        } while !follow
    }

    private func tell(_ event: EventBatch.Event) {
        if json { return print(event.line) }
        print("\(event.time) \(event.level.uppercased().padded(to: 8)) \(LogLines.escaped(event.message))")
    }
}
