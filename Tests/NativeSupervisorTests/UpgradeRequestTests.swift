import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// An upgrade as it is asked for by a client or a reload, and what lives through it beside the workers.
    @Suite(.serialized) struct UpgradeRequests {
        private static let pair = Launch(
            ["--concurrent-workers", "2", "--backoff-initial", "0.01"], command: ["/bin/sleep", "600"])

        /// `upgrade` returns when the new image runs; whoever was connected still is, and what was counted still is.
        @Test func clientsAndCountersLiveThroughIt() throws {
            try withReplaceableProgram("clients", Self.pair) { supervisor, program in
                let first = try supervisor.waitFor("worker_started") { $0.slot == 2 }
                try supervisor.waitFor("supervisor_ready")
                kill(try #require(first.pid), SIGKILL)
                try supervisor.waitFor("worker_started") { $0.slot == 2 && $0.incarnation == 2 }
                let path = ControlCaller.path(supervisor.name)
                let idle = try ControlCaller(path)
                // Half a call: its end comes to the next image.
                let call = Array(#"{"method":"io.sergeantcg.Supervisor.GetStatus"}"#.utf8)
                idle.send(Array(call[..<20]))
                // One whole call after the other: the first half has been read when the second is answered.
                let witness = try ControlCaller(path)
                witness.call("GetStatus")
                #expect(try witness.receive()?["parameters"]?["pid"]?.integer == Int64(supervisor.pid))
                let open = ProcessFacts(supervisor.pid).descriptors.count

                for number in 1...3 {
                    try program.restore()
                    let (status, output) = try Tool.sergeantcg("upgrade", "--name", supervisor.name)
                    #expect(status == .code(0) && output.isEmpty, "\(output)")
                    // Its client may be answered before the line is written.
                    try supervisor.waitFor(number, "supervisor_upgraded")
                }
                idle.send(Array(call[20...]) + [0])
                let report = try #require(try idle.receive()?["parameters"])
                #expect(report["pid"]?.integer == Int64(supervisor.pid))
                let worker = report["groups"]?[0]?["workers"]?[1]
                #expect(worker?["restarts"]?["crashed"]?.integer == 1)
                #expect(worker?["incarnation"]?.integer == 2)
                #expect(worker?["state"]?.text == "ready")
                #expect(ProcessFacts(supervisor.pid).descriptors.count <= open)
                #expect(try supervisor.stop() == .code(0))
                #expect(access(path, F_OK) != 0)
                expectNothingLeft(supervisor)
            }
        }

        /// A client that waits for a roll gets its answer from the image that ends it.
        @Test func aRollIsAnsweredByTheNextImage() throws {
            let launch = Launch(
                ["--concurrent-workers", "2", "--stop-timeout", "3"],
                command: try TestWorker.command("ignore-term"))
            try withReplaceableProgram("roll", launch) { supervisor, _ in
                try supervisor.waitFor("supervisor_ready")
                let client = try ControlCaller(ControlCaller.path(supervisor.name))
                client.call("Restart")
                try supervisor.waitFor("worker_stopping")
                #expect(try Tool.sergeantcg("upgrade", "--name", supervisor.name).status == .code(0))
                supervisor.readAvailable()
                #expect(
                    !supervisor.lines.contains { $0.event == "roll_ended" },
                    "the upgrade was too late to tell")
                let answer = try #require(try client.receive())
                #expect(answer["parameters"] == .object([:]) && answer["error"] == nil, "\(answer)")
                try supervisor.waitFor("roll_ended")
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 4)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// One that is refused is an error of the client's, and the old program goes on.
        @Test func aRefusalIsSaidToTheClient() throws {
            try withReplaceableProgram("refused", Self.pair) { supervisor, program in
                try supervisor.waitFor("supervisor_ready")
                try program.replace(by: "#!/bin/sh\necho it is broken\nexit 3\n")
                let refused = try Tool.sergeantcg("upgrade", "--name", supervisor.name)
                #expect(refused.status == .code(1), "\(refused.output)")
                #expect(refused.output.contains("UpgradeFailed"), "\(refused.output)")
                #expect(refused.output.contains("it exited with 3: it is broken"), "\(refused.output)")
                // Approves, and is gone when its turn comes.
                try program.replace(by: "#!/bin/sh\nrm -f '\(program.path)'\necho OK\n")
                let gone = try Tool.sergeantcg("upgrade", "--name", supervisor.name)
                #expect(gone.status == .code(1) && gone.output.contains("No such file"), "\(gone.output)")
                try program.restore()
                #expect(try Tool.sergeantcg("upgrade", "--name", supervisor.name).status == .code(0))
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A reload where a new version lies in place: that one takes over, and is who reads. A broken one does not,
        /// and the reload says so; the configuration is in effect all the same.
        @Test func aReloadTakesUpANewProgram() throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-upgrade.yaml"
            func write(_ more: String) throws {
                let worker = try TestWorker.path()
                let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                try #require(descriptor >= 0)
                close(descriptor)
                let text = "groups: {a: {command: [\"\(worker)\", sleep], concurrent-workers: 2\(more)}}\n"
                try #require(TextFile.write(text, to: file) == 0)
            }
            defer { unlink(file) }
            try write("")
            try withReplaceableProgram("reload", Launch(["--config", file])) { supervisor, program in
                try supervisor.waitFor("supervisor_ready")
                try program.restore()
                try write(", env: {A: b}")
                #expect(try Tool.sergeantcg("reload", "--name", supervisor.name).status == .code(0))
                try supervisor.waitFor("supervisor_reloaded")
                let events = supervisor.lines.map(\.event)
                let order = [
                    "supervisor_reloading", "supervisor_upgraded", "roll_started", "supervisor_reloaded",
                ]
                #expect(events.filter { order.contains($0) } == order)
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 4)
                let last = try #require(supervisor.lines.last { $0.event == "worker_started" }?.pid)
                #expect(TextFile.read("/proc/\(last)/environ")?.contains("A=b") == true)

                // The same program, the same file: nothing is done.
                #expect(try Tool.sergeantcg("reload", "--name", supervisor.name).status == .code(0))
                try supervisor.waitFor(2, "supervisor_reloaded")
                #expect(supervisor.lines.count { $0.event == "supervisor_upgraded" } == 1)

                try program.replace(by: "#!/bin/sh\nexit 3\n")
                try write(", env: {A: c}")
                let (status, output) = try Tool.sergeantcg("reload", "--name", supervisor.name)
                #expect(status == .code(1) && output.contains("it exited with 3"), "\(output)")
                try supervisor.waitFor(3, "supervisor_reloaded")
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 6)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A group that a reload took away is known to be away after an upgrade: the next reload can bring it back.
        @Test func aGroupTakenAwayBeforeCanComeBack() throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-groups.yaml"
            let worker = try TestWorker.path()
            func write(_ groups: String...) throws {
                let lines = groups.map { "  \($0): {command: [\"\(worker)\", sleep]}\n" }
                let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                try #require(descriptor >= 0)
                close(descriptor)
                try #require(TextFile.write("groups:\n" + lines.joined(), to: file) == 0)
            }
            defer { unlink(file) }
            try write("stays", "goes")
            try withReplaceableProgram("groups", Launch(["--config", file])) { supervisor, _ in
                try supervisor.waitFor("supervisor_ready")
                try write("stays")
                #expect(try Tool.sergeantcg("reload", "--name", supervisor.name).status == .code(0))
                try supervisor.waitFor("worker_exited") { $0.group == "goes" }
                #expect(try Tool.sergeantcg("upgrade", "--name", supervisor.name).status == .code(0))
                try write("stays", "goes")
                #expect(try Tool.sergeantcg("reload", "--name", supervisor.name).status == .code(0))
                try supervisor.waitFor(2, "worker_started") { $0.group == "goes" }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The pipes of `--output prefix`, with the beginning of a line in them, are the next image's.
        @Test func markedLinesGoOn() throws {
            let path = "/tmp/sergeantcg-test-\(getpid())-marked"
            let gate = "\(path)-gate"
            defer {
                unlink(path)
                unlink(gate)
            }
            try Tool.mustRun(["mkfifo", gate])
            var launch = Launch(
                ["--output", "prefix"],
                command: [
                    "/bin/sh", "-c",
                    "echo first; printf 'half, '; : >\(path)-half; read x <\(gate); echo 'and half'; exec sleep 1000",
                ])
            launch.wrapper = ["/bin/sh", "-c", "exec \"$@\" >\(path)", "-"]
            defer { unlink("\(path)-half") }
            try withReplaceableProgram("marking", launch) { supervisor, _ in
                try supervisor.waitUntil("the half line was written") { access("\(path)-half", F_OK) == 0 }
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                try #require(TextFile.write("\n", to: gate) == 0)
                try supervisor.waitUntil("the line is whole") {
                    TextFile.read(path) == "sh-1 | first\nsh-1 | half, and half\n"
                }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
