import Glibc
import SupervisorHarness
import Testing

/// What needs a cgroup v2 with the memory controller, one test after the other: they share its memory.
@Suite(.serialized) struct Kernel {}

/// Runs a supervisor, and stops it where the test has not. What must be true of every run is checked here: no
/// cgroup and no process is left, no controller stays enabled, every worker's end is accounted, and no line of
/// the log was lost.
///
/// - Parameter mayHaveTrouble: true where the test takes something away from the supervisor.
func supervise(
    _ launch: Launch, mayHaveTrouble: Bool = false, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (SupervisorProcess) throws -> Void
) throws {
    try withSupervisor(launch) { supervisor in
        try body(supervisor)
        if supervisor.status == nil {
            let status = try supervisor.stop()
            #expect(status == .code(0), "\(supervisor.transcript)", sourceLocation: sourceLocation)
        }
        let faults = faults(after: supervisor, mayHaveTrouble: mayHaveTrouble)
        #expect(faults == [], "\(supervisor.transcript)", sourceLocation: sourceLocation)
    }
}

private func faults(after supervisor: SupervisorProcess, mayHaveTrouble: Bool) -> [String] {
    var faults: [String] = []
    if Cgroupfs.count(below: supervisor.root) > 0 { faults.append("a cgroup is left") }
    if Cgroupfs.allProcesses(in: supervisor.root) != [] { faults.append("a process is left") }
    if let left = TextFile.read("\(supervisor.root)/cgroup.subtree_control"), !left.allSatisfy(\.isWhitespace)
    {
        faults.append("controllers were not given back: \(left)")
    }
    for line in supervisor.lines {
        switch line.event {
        case "worker_exited" where line.pid != nil && !mayHaveTrouble:
            if line.memoryPeak ?? 0 == 0 { faults.append("an end without memory_peak: \(line.message)") }
            if line.cpuUsageMicroseconds == nil {
                faults.append("an end without cpu_usage_usec: \(line.message)")
            }
        case "log_dropped": faults.append(line.message)
        case "supervisor_trouble", "worker_stuck":
            if !mayHaveTrouble { faults.append(line.message) }
        default: break
        }
    }
    return faults
}

/// A cgroup beside those of the supervisors under test, which has the memory controller.
func withOwnDirectory(_ body: (String) throws -> Void) throws {
    // Once a supervisor has been started the harness has moved this process into `…/tests`.
    _ = try withSupervisor(Launch(["--version"])) { try $0.waitForExit() }
    let own = try #require(ProcessFacts(getpid()).cgroup)
    let leaf = try Cgroupfs.mount().directory(own)
    try #require(leaf.hasSuffix("/tests"))
    let directory = "\(leaf.dropLast("/tests".count))/kernel-test-\(getpid())"
    try #require(mkdir(directory, 0o755) == 0)
    defer { #expect(throws: Never.self) { try Cgroupfs.clear(directory) } }
    try #require(TextFile.read("\(directory)/cgroup.controllers")?.contains("memory") == true)
    try body(directory)
}

/// A directory of the test's own, removed with all in it.
struct Scratch: ~Copyable {
    let path: String

    init() throws {
        var template = Array(
            "\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/kernel-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw HarnessFailure("mkdtemp: errno \(errno)") }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// The lines that workers noted in a file of this directory.
    borrowing func lines(_ name: String) -> [String] {
        (TextFile.read("\(path)/\(name)") ?? "").split(separator: "\n").map(String.init)
    }

    borrowing func makeDirectory(_ name: String) throws -> String {
        guard mkdir("\(path)/\(name)", 0o755) == 0 else { throw HarnessFailure("mkdir: errno \(errno)") }
        return "\(path)/\(name)"
    }

    borrowing func makeProgram(_ name: String, _ text: String) throws -> String {
        let program = "\(path)/\(name)"
        let file = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0o755)
        guard file >= 0 else { throw HarnessFailure("cannot make \(program): errno \(errno)") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard write(file, bytes, bytes.count) == bytes.count else {
            throw HarnessFailure("cannot write \(program): errno \(errno)")
        }
        return program
    }

    private static func remove(_ path: String) {
        for name in TextFile.names(in: path) ?? [] { remove("\(path)/\(name)") }
        _ = Glibc.remove(path)
    }
}

/// `sergeant` workers of `Tests/KernelTests/Workers`.
enum Sergeant {
    static let workers =
        "\(#filePath)".split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/Workers"

    static func python() throws -> String {
        guard let python = getenv("SERGEANTCG_PYTHON") else {
            throw HarnessFailure("SERGEANTCG_PYTHON does not name a Python that has sergeant and redis")
        }
        return String(cString: python)
    }

    static func launch(
        _ module: String, _ name: String, _ options: [String] = [], in scratch: borrowing Scratch,
        environment: [String: String] = [:]
    ) throws -> Launch {
        var launch = Launch(
            options + ["--python", try python(), "--worker-module", module, "--worker-class", name])
        launch.environment = [
            "TEST_DIRECTORY": scratch.path, "PYTHONPATH": workers, "PYTHONDONTWRITEBYTECODE": "1",
        ]
        for (name, value) in environment { launch.environment[name] = value }
        return launch
    }
}

/// A directory on a file system with a page cache.
func diskDirectory() throws -> String {
    guard let directory = getenv("SERGEANTCG_DISK_DIRECTORY") else {
        throw HarnessFailure("SERGEANTCG_DISK_DIRECTORY does not name a directory on a disk")
    }
    return String(cString: directory)
}

let mebibyte: UInt64 = 1 << 20

/// From one line of the log to another.
func seconds(from first: Line, to second: Line) throws -> Double {
    let begin = try #require(first.microseconds)
    let end = try #require(second.microseconds)
    return Double(end - begin) / 1e6
}

/// Runs a program and waits for its end.
func run(_ program: String, _ words: String...) throws {
    var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + words).map { strdup($0) } + [nil]
    defer { for text in arguments { free(text) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, program, nil, nil, &arguments, environ)
    guard error == 0 else { throw HarnessFailure("cannot run \(program): errno \(error)") }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
        guard errno == EINTR else { throw HarnessFailure("waitpid: errno \(errno)") }
    }
    guard status == 0 else {
        throw HarnessFailure("\(program) \(words.joined(separator: " ")) ended with status \(status)")
    }
}
