internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg check FILE`: says what `run --config FILE` would find wrong, and runs nothing.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether a configuration file is right; nothing is started.",
        shouldDisplay: Listing.isWhole)

    @Flag(help: "Print the JSON Schema of such a file, for editors, and check none.")
    var schema = false

    @Argument(help: ArgumentHelp("The YAML file.", valueName: "file"))
    var file: String?

    func validate() throws {
        guard (file == nil) == schema else {
            throw ValidationError(
                schema ? "--schema is of every file: name none." : "Missing expected argument '<file>'")
        }
    }

    func run() throws {
        guard let file else {
            return print(String(decoding: ConfigurationSchema.json, as: UTF8.self), terminator: "")
        }
        let groups: [GroupConfiguration]
        do { groups = try ConfigurationFile.load(file).configuration.groups } catch {
            throw SupervisorError(.configuration, error.description)
        }
        let words = groups.map { "\($0.name) (\($0.workers))" }
        print("\(file) is right: \(words.joined(separator: ", "))")
    }
}
