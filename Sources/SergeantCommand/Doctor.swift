internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// `sergeantcg doctor`: what this place offers, what would be enforced in it, and what to change. Changes nothing.
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this place offers, which limits would be enforced, and what to change.",
        usage: "sergeantcg doctor [--json] [--config FILE | options of run]",
        discussion: "Exit status: 0 if the configuration could be enforced here, 69 if not.",
        shouldDisplay: Listing.isWhole)

    @Flag(help: "One JSON object in place of text.")
    var json = false

    @OptionGroup var options: RunOptions

    func run() throws {
        let configuration = try options.settings(needsProgram: false).configuration
        let diagnosis = Diagnosis(PlaceFacts.gather(for: configuration), for: configuration)
        if json {
            print(String(decoding: diagnosis.json, as: UTF8.self), terminator: "")
        } else {
            for line in diagnosis.lines { print(LogLines.escaped(line)) }
        }
        if !diagnosis.isEnforceable { throw ExitCode(EX_UNAVAILABLE) }
    }
}
