import Glibc
import SupervisorHarness

/// A copy of the program that a test may put another in the place of.
struct ReplaceableProgram {
    let path: String
    private let original: String

    init(_ name: String) throws {
        original = try SupervisorProcess.program()
        path = "/tmp/sergeantcg-test-\(getpid())-\(name)"
        try restore()
    }

    /// As a package manager does it: a new file takes the place of the old.
    func restore() throws {
        try Tool.mustRun(["cp", original, "\(path).new"])
        try Tool.mustRun(["mv", "-f", "\(path).new", path])
    }

    func replace(by script: String) throws {
        unlink("\(path).new")
        let file = open("\(path).new", O_CREAT | O_WRONLY | O_CLOEXEC, 0o755)
        guard file >= 0 else { throw HarnessFailure("cannot write \(path).new: errno \(errno)") }
        let bytes = Array(script.utf8)
        let written = write(file, bytes, bytes.count)
        close(file)
        guard written == bytes.count else { throw HarnessFailure("cannot write \(path).new") }
        try Tool.mustRun(["mv", "-f", "\(path).new", path])
    }

    func remove() { unlink(path) }
}

/// Runs a supervisor from a copy of the program.
func withReplaceableProgram(
    _ name: String, _ launch: Launch, _ body: (SupervisorProcess, ReplaceableProgram) throws -> Void
) throws {
    let program = try ReplaceableProgram(name)
    defer { program.remove() }
    var launch = launch
    launch.binary = program.path
    try withSupervisor(launch) { try body($0, program) }
}
