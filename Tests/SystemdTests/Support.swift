import Glibc
import SupervisorHarness
import Testing

// How a test of this tier is written.
//
// The tests run one after the other, as root, in a machine whose process 1 is systemd (scripts/kernels/qemu), which
// is thrown away after them. `withUnit` writes a unit into /run/systemd/system, or for the user manager of the
// ordinary user, and hands it over with its journal; whatever happens it is stopped and gone after:
//
//     try withUnit(Service(["--memory-max", "64M"], worker: ["sleep"])) { unit, journal in
//         try unit.start()                                         // systemctl start: returns when it is active
//         let started = try journal.waitForLine("worker_started")  // a line of the JSON log that came as MESSAGE
//         #expect(try unit.property("ActiveState") == "active")    // systemctl show
//         try unit.stop()
//     }
//
// `Service` has the lines of a good unit; `lines` adds to them.
// A worker is TestWorker in one of its modes, or any `command`. Nothing waits for a time: `start`, `stop` and the like
// return when systemd has done it, `journal.waitFor` follows the journal, `pollUntil` looks at facts that tell nobody.
// A failure carries `systemctl status` and the journal. The machine is slow (emulated): few processes, few units.
//
//     scripts/test --filter systemd/REGEX      the tests whose Suite/name() matches

/// What needs systemd, one test after the other.
@Suite(.serialized) struct Systemd {}

/// Programs where a service of any user may run them.
enum Installed {
    static let directory = "/usr/local/bin"
    static let supervisor = "\(directory)/sergeantcg"
    static let exporter = "\(directory)/sergeantcg-exporter"
    static let worker = "\(directory)/TestWorker"
    /// The checkout, which the machine has under the same path.
    static let checkout = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    private static let copied: Result<Void, any Error> = Result {
        guard access("/run/systemd/system", F_OK) == 0, geteuid() == 0 else {
            throw HarnessFailure(
                "these tests need root and systemd as process 1: scripts/test --filter systemd")
        }
        guard let binary = getenv("SERGEANTCG_BINARY").map({ String(cString: $0) }) else {
            throw HarnessFailure("SERGEANTCG_BINARY does not say which program to test")
        }
        try Tool.mustRun(["install", "-m", "755", binary, supervisor])
        try Tool.mustRun(["install", "-m", "755", "\(binary)-exporter", exporter])
        try Tool.mustRun(["install", "-m", "755", try TestWorker.path(), worker])
    }

    static func check() throws { try copied.get() }
}

/// The user without any privilege.
enum Ordinary {
    static let name = "ordinary"
    static let uid: UInt32 = 1000

    /// What goes before a command that this user runs outside any session, with a user manager at hand.
    static let withManager = [
        "setpriv", "--reuid", "\(uid)", "--regid", "\(uid)", "--init-groups", "env", "-i",
        "HOME=/home/\(name)",
        "PATH=/usr/local/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR=/run/user/\(uid)",
    ]

    private static let manager: Result<Void, any Error> = Result {
        try Tool.mustRun(["loginctl", "enable-linger", name])
        try Tool.mustRun(["systemctl", "start", "user@\(uid).service"])
    }

    static func startManager() throws { try manager.get() }
}

/// Looks every 20 ms: for facts of /proc and cgroupfs that notify nobody.
func pollUntil(
    _ what: String, within patience: Duration = .seconds(60), _ condition: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + patience
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw HarnessFailure("waited in vain until \(what)") }
        usleep(20_000)
    }
}

/// The number in the first line `KEY NUMBER` of a flat keyed file.
func number(_ key: String, in file: String) throws -> UInt64 {
    for line in (TextFile.read(file) ?? "").split(separator: "\n") {
        let words = line.split(separator: " ")
        if words.count == 2, words[0] == key, let value = UInt64(words[1]) { return value }
    }
    throw HarnessFailure("\(file) has no \(key)")
}
