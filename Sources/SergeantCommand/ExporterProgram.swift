internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// `sergeantcg exporter`: executes `sergeantcg-exporter`, a program of its own, with the arguments as they are.
struct ExporterProgram: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exporter", abstract: "Serve metrics and a live page over HTTP.",
        shouldDisplay: Listing.isWhole)

    private static let program = "sergeantcg-exporter"

    @Argument(parsing: .captureForPassthrough, help: "Its own: sergeantcg exporter --help.")
    var arguments: [String] = []

    func run() throws {
        let path = try Self.find()
        Signals.release()
        var words = ([Self.program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        execv(path, &words)
        throw SupervisorError(
            .cannotRun, "\(path) cannot be executed: \(String(cString: strerror(errno))) (errno \(errno))")
    }

    /// Beside this program, where both were installed, else where a shell finds it.
    private static func find() throws(SupervisorError) -> String {
        let search = getenv("PATH").map { String(cString: $0) }
        let own = UpgradeProgram(arguments: CommandLine.arguments)?.path
        let beside = own.flatMap { path in path.lastIndex(of: "/").map { "\(path[...$0])\(program)" } }
        for name in [beside, program].compactMap(\.self) {
            if case .found(let path) = ProgramSearch.find(name, path: search) { return path }
        }
        throw SupervisorError(
            .cannotRun,
            "\(program) is neither beside sergeantcg nor on the PATH: it is a program of its own, so that sergeantcg "
                + "has no HTTP in it")
    }
}
