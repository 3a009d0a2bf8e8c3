internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg check FILE`: says what `run --config FILE` would find wrong, and runs nothing.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether a configuration file is right; nothing is started.", shouldDisplay: false)

    @Argument(help: ArgumentHelp("The YAML file.", valueName: "file"))
    var file: String

    func run() throws {
        let groups: [GroupConfiguration]
        do { groups = try ConfigurationFile.load(file).configuration.groups } catch {
            throw SupervisorError(.configuration, error.description)
        }
        let words = groups.map { "\($0.name) (\($0.workers))" }
        print("\(file) is right: \(words.joined(separator: ", "))")
    }
}
