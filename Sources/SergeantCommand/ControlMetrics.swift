internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg metrics`: what runs and what it uses, for a monitoring system.
struct ControlMetrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print what a supervisor runs and uses as metrics.",
        discussion: "With --format prometheus for node_exporter's textfile collector.",
        shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    @Option(help: "Which text: OpenMetrics, or Prometheus' own.")
    var format: MetricFamily.Format = .openmetrics

    func run() throws {
        print(Metrics(try options.reach().status().report).text(format), terminator: "")
    }
}

extension MetricFamily.Format: ExpressibleByArgument {}
