import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// The control socket and its commands, from outside.
    @Suite(.serialized) struct Control {
        private static func mode(_ path: String) -> UInt32? {
            var status = stat()
            return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
        }

        private static let pair = Launch(
            ["--concurrent-workers", "2", "--backoff-initial", "0.01"],
            command: ["/bin/sleep", "600"])

        @Test func theSocketIsForItsUserAloneAndGoesWithTheSupervisor() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let path = ControlCaller.path(supervisor.name)
                #expect(Self.mode(path) == 0o600)
                #expect(Self.mode(String(path.dropLast("/control".count))) == 0o700)
                let (status, output) = try Tool.sergeantcg("stop", "--name", supervisor.name)
                #expect(status == .code(0) && output == "", "\(output)")
                #expect(try supervisor.waitForExit() == .code(0))
                #expect(Self.mode(path) == nil)
                #expect(access("/run/sergeantcg/\(supervisor.name)", F_OK) != 0)
                expectNothingLeft(supervisor)
            }
        }

        /// Field by field what the log says, after a worker was killed.
        @Test func statusSaysWhatTheLogSays() throws {
            try withSupervisor(Self.pair) { supervisor in
                let first = try supervisor.waitFor("worker_started") { $0.slot == 2 }
                try supervisor.waitFor("supervisor_ready")
                kill(try #require(first.pid), SIGKILL)
                try supervisor.waitFor("worker_started") { $0.slot == 2 && $0.incarnation == 2 }
                let (status, output) = try Tool.sergeantcg("status", "--json", "--name", supervisor.name)
                #expect(status == .code(0))
                let report = try #require(JSONValue.parse(output.utf8), "\(output)")
                #expect(report["name"]?.text == supervisor.name)
                #expect(report["pid"]?.integer == Int64(supervisor.pid))
                #expect(report["state"]?.text == "ready")
                let group = try #require(report["groups"]?[0])
                #expect(group["desired"]?.integer == 2 && group["ready"]?.integer == 2)
                #expect(group["state"]?.text == "ready")
                for (slot, incarnation) in [(1, 1), (2, 2)] {
                    let line = try supervisor.waitFor("worker_started") {
                        $0.slot == slot && $0.incarnation == incarnation
                    }
                    let worker = try #require(group["workers"]?[slot - 1])
                    #expect(group["name"]?.text == line.group)
                    #expect(worker["worker"]?.text == line.worker)
                    #expect(worker["slot"]?.integer == Int64(slot))
                    #expect(worker["incarnation"]?.integer == Int64(incarnation))
                    #expect(worker["pid"]?.integer == line.pid.map { Int64($0) })
                    #expect(worker["cgroup"]?.text == line.cgroup)
                    #expect(worker["state"]?.text == "ready")
                    #expect(worker["status"] == .null)
                    let started = try #require(worker["started"]?.text.flatMap { WallClock.microseconds($0) })
                    let logged = try #require(line.microseconds)
                    #expect(abs(started - logged) < 1_000_000)
                    #expect(worker["restarts"]?["total"]?.integer == Int64(incarnation - 1))
                }
                #expect(group["workers"]?[1]?["restarts"]?["crashed"]?.integer == 1)
                #expect(group["workers"]?[2] == nil)

                let table = try Tool.sergeantcg("status", "--name", supervisor.name)
                #expect(table.status == .code(0))
                #expect(table.output.split(separator: "\n").count == 4, "\(table.output)")
                #expect(
                    try Tool.sergeantcg("status", "--check", "ready", "--name", supervisor.name).status
                        == .code(0))
                #expect(try supervisor.stop() == .code(0))
                let after = try Tool.sergeantcg("status", "--name", supervisor.name)
                #expect(after.status == .code(69), "\(after.output)")
            }
        }

        @Test func anotherUserIsRefused() throws {
            let path = "/tmp/sergeantcg-test-\(getpid())-control"
            var launch = Self.pair
            launch.arguments.insert(contentsOf: ["--control", path], at: 0)
            let binary = try SupervisorProcess.program()
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let call = [
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", binary, "stop",
                    "--control", path,
                ]
                let (status, output) = try Tool.run(call)
                #expect(status == .code(77), "\(output)")
                // The file's mode is not all that stands in between.
                #expect(chmod(path, 0o666) == 0)
                let second = try Tool.run(call)
                #expect(
                    second.status == .code(77) && second.output.contains("its own user"), "\(second.output)")
                #expect(supervisor.status == nil)
                #expect(try supervisor.stop() == .code(0))
                #expect(Self.mode(path) == nil)
                #expect(!supervisor.lines.contains { $0.event == "supervisor_trouble" })
            }
        }

        /// A socket that a killed supervisor left is replaced; one that is listened on is not.
        @Test func aStaleSocketIsReplacedAndALivingOneIsNot() throws {
            let path = "/tmp/sergeantcg-test-\(getpid())-stale"
            var launch = Self.pair
            launch.arguments.insert(contentsOf: ["--control", path], at: 0)
            defer { unlink(path) }
            try withSupervisor(launch) { killed in
                try killed.waitFor("supervisor_ready")
                killed.signal(SIGKILL)
                try killed.waitForExit()
                #expect(Self.mode(path) == 0o600)
            }
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try withSupervisor(launch) { second in
                    let end = try second.waitForExit()
                    #expect(end == .code(69))
                    #expect(
                        second.strayLines.contains { $0.contains("PID \(supervisor.pid)") },
                        "\(second.strayLines)")
                    expectNothingLeft(second)
                }
                #expect(try Tool.sergeantcg("status", "--control", path).status == .code(0))
                #expect(try supervisor.stop() == .code(0))
            }
        }

        @Test func restartReplacesWorkersAndReturnsThen() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let one = try Tool.sergeantcg("restart", "sleep-2", "--name", supervisor.name)
                #expect(one.status == .code(0), "\(one.output)")
                supervisor.readAvailable()
                let ends = supervisor.lines.filter { $0.event == "worker_exited" }
                #expect(ends.map(\.worker) == ["sleep-2"] && ends.first?.reason == "restart")
                #expect(try Tool.sergeantcg("restart", "--name", supervisor.name).status == .code(0))
                supervisor.readAvailable()
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 5)
                let none = try Tool.sergeantcg("restart", "sleep-3", "--name", supervisor.name)
                #expect(none.status == .code(1) && none.output.contains("NoSuchTarget"), "\(none.output)")
                let again = try Tool.sergeantcg("reload", "--name", supervisor.name)
                #expect(again.status == .code(1) && again.output.contains("--config"), "\(again.output)")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// As many at a time as may be missing: all of them are asked before the first has a successor.
        @Test func severalAreReplacedAtATime() throws {
            let launch = Launch(["--concurrent-workers", "4"], command: ["/bin/sleep", "600"])
            try withSupervisor(launch) { supervisor in
                let ready = try supervisor.waitFor("supervisor_ready")
                let words = ["restart", "--name", supervisor.name, "--max-unavailable"]
                let done = try Tool.run([try SupervisorProcess.program()] + words + ["3"])
                #expect(done.status == .code(0), "\(done.output)")
                supervisor.readAvailable()
                let told = supervisor.lines[ready.position...].filter {
                    ["worker_stopping", "worker_started"].contains($0.event)
                }
                #expect(told.prefix(3).allSatisfy { $0.event == "worker_stopping" }, "\(told)")
                #expect(told.count { $0.event == "worker_started" } == 4)
                let none = try Tool.run([try SupervisorProcess.program()] + words + ["0"])
                #expect(none.status == .code(64) && none.output.contains("takes 1 or more"), "\(none.output)")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        @Test func reloadReturnsWhenTheFileIsInEffect() throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-control.yaml"
            defer { unlink(file) }
            func write(_ text: String) throws {
                let stream = try #require(fopen(file, "w"))
                fputs(text, stream)
                fclose(stream)
            }
            try write("groups: {g: {command: [/bin/sleep, \"600\"]}}\n")
            try withSupervisor(Launch(["--config", file])) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try write("groups: {g: {command: [/bin/sleep, \"600\"], concurrent-workers: 2}}\n")
                let done = try Tool.sergeantcg("reload", "--name", supervisor.name)
                #expect(done.status == .code(0), "\(done.output)")
                try supervisor.waitFor(2, "worker_started")
                let report = try Tool.sergeantcg("status", "--json", "--name", supervisor.name).output
                #expect(JSONValue.parse(report.utf8)?["groups"]?[0]?["desired"]?.integer == 2, "\(report)")
                try write("groups: {g: {nonesuch: 1}}\n")
                let bad = try Tool.sergeantcg("reload", "--name", supervisor.name)
                #expect(bad.status == .code(1) && bad.output.contains("nonesuch"), "\(bad.output)")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Nothing that clients do, or leave undone, keeps a worker from being replaced.
        @Test func clientsDoNotHoldUpSupervision() throws {
            try withSupervisor(Self.pair) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                try supervisor.waitFor("supervisor_ready")
                let path = ControlCaller.path(supervisor.name)
                var idle: [ControlCaller] = []
                for _ in 0..<200 { idle.append(try ControlCaller(path)) }
                let half = try ControlCaller(path)
                half.send(Array(#"{"method":"io.serg"#.utf8))
                // Asks without reading: its answers wait, and its further calls with them.
                let deaf = try ControlCaller(path)
                try deaf.flood(Array(#"{"method":"io.sergeantcg.Supervisor.GetStatus"}"#.utf8) + [0])
                kill(try #require(first.pid), SIGKILL)
                try supervisor.waitFor("worker_started", within: .seconds(5)) {
                    $0.slot == first.slot && $0.incarnation == 2
                }
                withExtendedLifetime(deaf) {}
                #expect(try Tool.sergeantcg("status", "--name", supervisor.name).status == .code(0))
                withExtendedLifetime(idle) {}
                #expect(try supervisor.stop() == .code(0))
            }
        }

        static let garbage: [[UInt8]] = [
            [0], Array("not JSON".utf8) + [0], Array("[]".utf8) + [0], Array("{\"method\":1}".utf8) + [0],
            [UInt8](repeating: 0xFF, count: 4 << 20),
            Array(repeating: UInt8(ascii: "["), count: 100_000) + [0],
            Array(#"{"method":"io.sergeantcg.Supervisor.Nonesuch"}"#.utf8) + [0],
            Array(#"{"method":"io.sergeantcg.Supervisor.Stop","parameters":{"x":1}}"#.utf8) + [0],
            Array(#"{"method":"nonesuch"}"#.utf8) + [0],
        ]

        /// Each is answered with an error, or its connection closed.
        @Test func garbageIsRefused() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                for (index, bytes) in Self.garbage.enumerated() {
                    let caller = try ControlCaller(ControlCaller.path(supervisor.name))
                    caller.send(bytes)
                    if let answer = try caller.receive() {
                        #expect(answer["error"]?.text != nil, "\(index): \(answer)")
                    }
                }
                #expect(supervisor.status == nil)
                #expect(try Tool.sergeantcg("status", "--name", supervisor.name).status == .code(0))
                #expect(try supervisor.stop() == .code(0))
            }
        }
    }
}
