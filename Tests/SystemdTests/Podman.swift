import Glibc
import SupervisorHarness
import Testing

/// podman, of root or of the ordinary user, with the image of `containers` and TestWorker for it.
struct Podman {
    enum User { case root, ordinary }

    /// What `containers/build` calls it, and what a Containerfile may say of it.
    static let image = "localhost/sergeantcg"
    /// Where its definition is.
    static let directory = Installed.checkout + "/containers"
    /// What makes the hierarchy writable in a container.
    static let unmasked = "--security-opt=unmask=/sys/fs/cgroup"
    let user: User
    private var prefix: [String] { user == .root ? [] : Ordinary.withManager }

    /// With the image, which is built once.
    init(_ user: User) throws {
        self.user = user
        try Installed.check()
        try Self.built.get()
        guard user == .ordinary else { return }
        try Ordinary.startManager()
        try Self.loaded.get()
    }

    private static let built: Result<Void, any Error> = Result {
        // There is no network, and so no debian:13-slim.
        try Tool.mustRun(["\(directory)/base", "localhost/base", Installed.supervisor, Installed.worker])
        let (status, output) = try Tool.run([
            "\(directory)/build", "--base", "localhost/base", "--program", Installed.supervisor, image,
        ])
        guard status == .code(0) else { throw HarnessFailure("containers/build: \(status): \(output)") }
        print("the image has \(output.split(separator: "\n").last ?? "?") bytes")
    }

    /// The image for the ordinary user, who does not build it once more.
    private static let loaded: Result<Void, any Error> = Result {
        let archive = "/var/tmp/sergeantcg-image.tar"
        defer { unlink(archive) }
        try Tool.mustRun(["podman", "save", "--quiet", "--output", archive, image])
        try Tool.mustRun(["chmod", "644", archive])
        let (status, output) = try Tool.run(
            Ordinary.withManager + ["podman", "load", "--quiet", "--input", archive])
        guard status == .code(0) else { throw HarnessFailure("podman load: \(output)") }
    }

    /// - Returns: its status, and what it printed on stdout and stderr together.
    @discardableResult
    func callAsFunction(_ words: String...) throws -> (status: ProcessEnd, output: String) {
        try run(words)
    }

    func run(_ words: [String]) throws -> (status: ProcessEnd, output: String) {
        try Tool.run(prefix + ["podman"] + words)
    }

    /// What it prints, without the end of the line. Its exit status must be 0.
    @discardableResult
    func must(_ words: String...) throws -> String {
        let (status, output) = try Tool.run(prefix + ["podman"] + words)
        guard status == .code(0) else {
            throw HarnessFailure("podman \(words.joined(separator: " ")): \(status): \(output)")
        }
        return output.split(separator: "\n").joined(separator: "\n")
    }

    /// A container in which the supervisor is process 1; its log is read through podman, which hands signals on.
    func withContainer(
        _ flags: [String], _ options: [String] = [], worker: [String],
        _ body: (SupervisorProcess, _ name: String) throws -> Void
    ) throws {
        let name = "test"
        var launch = Launch()
        launch.place = .inherited
        launch.addsLogFormat = false
        launch.addsName = false
        launch.wrapper = prefix
        launch.binary = "/usr/bin/podman"
        var words = ["run", "--rm", "--replace", "--name", name, "--network=none"]
        words += ["--volume=\(Installed.worker):\(Installed.worker):ro"] + flags
        words.append(Self.image)
        words += ["--log-format", "json"]
        words += options
        words += ["--", Installed.worker]
        launch.arguments = words + worker
        defer { _ = try? self("rm", "--force", "--time", "0", name) }
        try withSupervisor(launch) { supervisor in try body(supervisor, name) }
    }

    /// The container's process 1, as this machine numbers it.
    func firstProcess(of name: String) throws -> Int32 {
        let text = try must("inspect", "--format", "{{.State.Pid}}", name)
        guard let pid = Int32(text), pid > 0 else {
            throw HarnessFailure("\(name) has no process 1: \(text)")
        }
        return pid
    }
}
