internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// `sergeantcg-exporter`, which `sergeantcg exporter` executes: what a supervisor's control socket tells, over HTTP. A
/// program of its own, so that no HTTP is in the supervisor.
@main
struct Exporter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sergeantcg exporter",
        abstract: "Serve what a supervisor runs over HTTP: metrics, and a page to look at.",
        discussion: """
            /          a page that shows the pool live; it reads /status and /events
            /metrics   for Prometheus: OpenMetrics, or its older text format
            /healthz   200 where a supervisor answers, else 503
            /readyz    200 where it is ready too, else 503

            Whoever reaches the port may read all of it, and change nothing.
            Runs as the supervisor's user or as root: nobody else may ask it.
            """,
        version: Version.current)

    @Option(
        help: ArgumentHelp("Where to listen; [::]:PORT is every address.", valueName: "address:port"),
        transform: { try Endpoint(parsing: $0) })
    var listen = Endpoint.standard

    @Option(help: ArgumentHelp("The supervisor's control socket.", valueName: "path"))
    var control: String?

    @Option(help: ArgumentHelp("The supervisor's name.", valueName: "name"))
    var name: String?

    func run() async throws {
        let source = StatusSource(path: control, name: name)
        let feed = EventFeed(path: control, name: name)
        try await HTTPServer(Site(source, feed)).serve(listen) { address in
            say("listens at http://\(address)/ and http://\(address)/metrics")
            ServiceNotification.tellReady("serves at http://\(address)/")
        }
    }

    static func main() async {
        // There is nothing to tidy up.
        for number in [SIGTERM, SIGINT] { _ = signal(number) { _ in _exit(0) } }
        do {
            var command = try parseAsRoot()
            guard let exporter = command as? Exporter else { return try command.run() }
            try await exporter.run()
        } catch let fault as SupervisorError {
            ServiceNotification.tellFailure(fault)
            say(fault.description)
            Glibc.exit(fault.exitCode)
        } catch  where exitCode(for: error) == .success {
            print(fullMessage(for: error))
        } catch {
            say(message(for: error).split(separator: "\n").joined(separator: " "))
            Glibc.exit(EX_USAGE)
        }
    }
}

/// One sentence for whoever started it.
private func say(_ sentence: String) {
    let line = Array("sergeantcg-exporter: \(LogLines.escaped(sentence))\n".utf8)
    // Standard error may be closed; there is nobody else to tell.
    _ = write(STDERR_FILENO, line, line.count)
}
