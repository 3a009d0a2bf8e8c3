internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg status`: what runs and what it uses.
struct ControlStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what a supervisor runs and what it uses.",
        shouldDisplay: Listing.isWhole
    )

    enum Question: String, ExpressibleByArgument, CaseIterable {
        case ready, live
    }

    @OptionGroup var options: ControlOptions

    @Flag(help: "Print the supervisor's answer as JSON.")
    var json = false

    @Option(help: "Print nothing; exit status 0 where it is so, else 1. For a container's probes.")
    var check: Question?

    func run() throws {
        if let check {
            guard let report = try? options.reach().status().report, check == .live || report.state == .ready
            else {
                throw ExitCode(1)
            }
            return
        }
        let (report, text) = try options.reach().status()
        if json { return print(text) }
        print(
            LogLines.escaped(
                "\(report.name): \(report.state.rawValue), PID \(report.pid), version \(report.version), "
                    + "cgroup \(report.cgroup)"))
        print(Self.table.row("WORKER", "PID", "STATE", "MEMORY", "PEAK", "CPU s", "RESTARTS"))
        for worker in report.groups.flatMap(\.workers) {
            print(
                Self.table.row(
                    LogLines.escaped(worker.worker), worker.pid.map { "\($0)" } ?? "-", worker.state.rawValue,
                    ByteCount.cell(worker.memory?.current), ByteCount.cell(worker.memory?.peak),
                    worker.cpuMicroseconds.map { "\($0 / 1_000_000).\($0 / 100_000 % 10)" } ?? "-",
                    "\(worker.restarts["total"] ?? 0)"))
        }
    }

    /// 80 columns where the worker's name has at most 23.
    private static let table = TextTable(name: 23, cells: [8, 9, 8, 8, 9, 9])
}
