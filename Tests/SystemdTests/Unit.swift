import Glibc
import SupervisorHarness
import Synchronization
import Testing

/// The text of a service that runs the program under test.
struct Service {
    /// Options of `sergeantcg`. `--log-format` is put before them.
    var options: [String]
    /// The program, another than the installed one where a test replaces it.
    var supervisor = Installed.supervisor
    var logFormat = "json"
    /// The worker's words.
    var command: [String]
    /// Lines of `[Service]` after ours; a later setting overrides an earlier one.
    var lines: [String]
    /// What `Delegate=` says. (Said twice, systemd takes both together.)
    var delegate = "yes"
    /// In place of options and command, where a file has them.
    var words: [String]?
    /// Lines of `[Unit]`.
    var unitLines: [String] = []

    init(_ options: [String] = [], worker: [String], lines: [String] = []) {
        self.init(options, command: [Installed.worker] + worker, lines: lines)
    }

    init(_ options: [String] = [], command: [String], lines: [String] = []) {
        self.options = options
        self.command = command
        self.lines = lines
    }

    var text: String {
        let words =
            [supervisor, "--log-format", logFormat] + (self.words ?? options + ["--"] + command)
        let main = [
            "Type=notify", "ExecStart=\(words.joined(separator: " "))", "Delegate=\(delegate)",
            "KillMode=mixed",
        ]
        return (["[Unit]"] + unitLines + ["[Service]"] + main + lines).joined(separator: "\n") + "\n"
    }
}

/// A unit that systemd has loaded.
struct Unit {
    enum Manager { case system, user }

    let name: String
    let manager: Manager

    /// - Returns: its status, and what it printed on stdout and stderr together.
    @discardableResult
    func systemctl(_ words: String...) throws -> (status: ProcessEnd, output: String) {
        switch manager {
        case .system: try Tool.run(["systemctl", "--no-pager"] + words)
        case .user: try Tool.run(Ordinary.withManager + ["systemctl", "--user", "--no-pager"] + words)
        }
    }

    /// Returns when it is active, for a `Type=notify` service: when it has said so.
    func start() throws { try must("start") }

    /// Returns when all of it has ended.
    func stop() throws { try must("stop") }

    func reload() throws { try must("reload") }

    func restart() throws { try must("restart") }

    private func must(_ verb: String) throws {
        let (status, output) = try systemctl(verb, name)
        guard status == .code(0) else {
            throw HarnessFailure("systemctl \(verb) \(name): \(status): \(output)")
        }
    }

    /// What `systemctl show` says, and nothing where it has no such property.
    func property(_ property: String) throws -> String {
        let (_, output) = try systemctl("show", "--value", "--property", property, name)
        return output.split(separator: "\n").first.map(String.init) ?? ""
    }

    func number(_ property: String) throws -> UInt64 {
        let text = try self.property(property)
        guard let value = UInt64(text) else { throw HarnessFailure("\(property) of \(name) is \(text)") }
        return value
    }

    /// The directory of its cgroup, while it has one.
    func directory() throws -> String {
        let path = try property("ControlGroup")
        guard !path.isEmpty else { throw HarnessFailure("\(name) has no cgroup") }
        return try Cgroupfs.mount().directory(path)
    }
}

private let numbers = Atomic<Int>(0)

/// Loads a service, hands it over with its journal, stops and forgets it.
func withUnit(
    _ service: Service, manager: Unit.Manager = .system, _ body: (Unit, Journal) throws -> Void
) throws {
    try Installed.check()
    if manager == .user { try Ordinary.startManager() }
    let number = numbers.add(1, ordering: .relaxed).newValue
    let unit = Unit(name: "sergeantcg-test-\(number).service", manager: manager)
    let path = "/run/systemd/\(manager == .system ? "system" : "user")/\(unit.name)"
    try write(service.text, path)
    let journal = try Journal(of: unit)
    defer {
        // It may be inactive by now, or never have been loaded.
        _ = try? unit.systemctl("kill", "--signal=KILL", unit.name)
        _ = try? unit.systemctl("stop", unit.name)
        _ = try? unit.systemctl("reset-failed", unit.name)
        unlink(path)
    }
    do {
        let (status, output) = try unit.systemctl("daemon-reload")
        guard status == .code(0) else { throw HarnessFailure("daemon-reload: \(output)") }
        try body(unit, journal)
    } catch {
        let state = (try? unit.systemctl("status", "--lines=0", unit.name).output) ?? ""
        throw HarnessFailure("\(error)\n\(service.text)\(state)\(journal.transcript)")
    }
}

/// Makes a file with this text.
func write(_ text: String, _ path: String) throws {
    try Tool.mustRun(["mkdir", "-p", path.split(separator: "/").dropLast().map { "/" + $0 }.joined()])
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw HarnessFailure("cannot make \(path): errno \(errno)") }
    close(file)
    let error = TextFile.write(text, to: path)
    guard error == 0 else { throw HarnessFailure("cannot write \(path): errno \(error)") }
}
