internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg scale`: returns when the supervisor has taken it; workers come and go after that.
struct ControlScale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "Have a group have more workers, or fewer, until the next reload.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    @Argument(help: "The group.")
    var group: String

    @Argument(help: ArgumentHelp("How many workers it is to have; 0 is allowed.", valueName: "n"))
    var workers: Int64

    func run() throws {
        let client = try options.reach()
        let answer = try client.call("Scale", ["group": .text(group), "workers": .integer(workers)])
        guard let before = answer.integer("before") else {
            throw SupervisorError(
                .unreachable, "the supervisor at \(client.path) did not answer how many workers there were")
        }
        print(LogLines.escaped("\(group): \(before) -> \(workers) workers"))
    }
}
