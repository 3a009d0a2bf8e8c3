// A program with a supervisor inside, and a logger of its own.
//
// It keeps two workers running, stops them after three restarts, and says what it saw. As a guest the
// supervisor leaves this program's signals alone; that it may move this process into a leaf of its cgroup
// is asked for below.
import Logging
import SergeantCG

/// A handler as a program might have: the event's name, then what happened.
struct PlainHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let name = event.metadata?["event"].map { "\($0)" } ?? "-"
        let worker = event.metadata?["worker"].map { "\($0)" } ?? "-"
        print("\(name)  \(worker)  \(event.message)")
    }
}

/// Counts ends, and stops the supervisor at the third.
final class StopAfterThree: Observer {
    private var ends = 0
    private let stop: () -> Void

    init(stop: @escaping () -> Void) {
        self.stop = stop
    }

    func observe(_ occurrence: Occurrence, named names: Names) {
        guard case .workerExited = occurrence else { return }
        ends += 1
        if ends == 3 { stop() }
    }
}

let group = GroupConfiguration(
    name: "greeter", program: .command(["sh", "-c", "echo hello from $SERGEANT_WORKER; exec sleep 1.5"]),
    workers: 2)
let configuration = Configuration(
    name: "embedded", groups: [group], place: .own(movesProcesses: true))

do {
    let logger = Logger(label: "pool") { _ in PlainHandler() }
    let supervisor = try Supervisor(configuration, logger: logger)
    let outcome = try supervisor.run(observers: [StopAfterThree(stop: supervisor.stop)])
    print("the pool ended: \(outcome)")
} catch {
    print("the pool could not start: \(error)")
}
