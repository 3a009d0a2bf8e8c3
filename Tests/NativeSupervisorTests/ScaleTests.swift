import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// `sergeantcg scale`: a group has more workers, or fewer, while it runs.
    @Suite(.serialized) struct Scaling {
        private static let pair = Launch(["--concurrent-workers", "2"], command: ["/bin/sleep", "600"])

        private static func desired(_ supervisor: SupervisorProcess) throws -> [Int64] {
            let client = try ControlCaller(ControlCaller.path(supervisor.name))
            client.call("GetStatus")
            guard case .list(let groups)? = try client.receive()?["parameters"]?["groups"] else { return [] }
            return groups.compactMap { $0["desired"]?.integer }
        }

        /// New slots start at once; the highest are the first to go, each gracefully, and the others are not touched.
        @Test func itGrowsAndShrinks() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let more = try Tool.sergeantcg("scale", "--name", supervisor.name, "sleep", "4")
                #expect(more.status == .code(0) && more.output == "sleep: 2 -> 4 workers\n", "\(more.output)")
                let started = try supervisor.waitFor(4, "worker_started")
                #expect(Set(started.compactMap(\.slot)) == [1, 2, 3, 4])
                let fewer = try Tool.sergeantcg("scale", "--name", supervisor.name, "sleep", "1")
                #expect(
                    fewer.status == .code(0) && fewer.output == "sleep: 4 -> 1 workers\n", "\(fewer.output)")
                let ended = try supervisor.waitFor(3, "worker_exited")
                #expect(Set(ended.compactMap(\.slot)) == [2, 3, 4])
                #expect(ended.allSatisfy { $0.reason == "scale_down" && $0.signal == SIGTERM })
                #expect(try Self.desired(supervisor) == [1])
                let first = try #require(started.first { $0.slot == 1 }?.pid)
                #expect(kill(first, 0) == 0)
                #expect(try supervisor.stop() == .code(0))
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 4)
                expectNothingLeft(supervisor)
            }
        }

        /// A supervisor without a single worker waits for whoever scales it again.
        @Test func withoutWorkersItWaits() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                #expect(
                    try Tool.sergeantcg("scale", "--name", supervisor.name, "sleep", "0").status == .code(0))
                try supervisor.waitFor(2, "worker_exited") { $0.reason == "scale_down" }
                #expect(try Self.desired(supervisor) == [0])
                let again = try Tool.sergeantcg("scale", "--name", supervisor.name, "sleep", "1")
                #expect(again.output == "sleep: 0 -> 1 workers\n", "\(again.output)")
                try supervisor.waitFor("worker_started") { $0.slot == 1 && $0.incarnation == 2 }
                #expect(!supervisor.lines.contains { $0.event == "supervisor_stopping" })
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// What the file says comes back with the next reload, also after an upgrade; a group that left the file cannot
        /// be scaled.
        @Test(arguments: [false, true]) func itLastsUntilTheNextReload(isUpgraded: Bool) throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-scale.yaml"
            let word = "[/bin/sleep, \"600\"]"
            defer { unlink(file) }
            try write("groups: {a: {command: \(word)}, b: {command: \(word)}}", to: file)
            try withReplaceableProgram("scale", Launch(["--config", file])) { supervisor, program in
                try supervisor.waitFor("supervisor_ready")
                #expect(try Tool.sergeantcg("scale", "--name", supervisor.name, "a", "3").status == .code(0))
                try supervisor.waitFor(4, "worker_started")
                if isUpgraded {
                    try program.restore()
                    supervisor.signal(SIGUSR2)
                    try supervisor.waitFor("supervisor_upgraded")
                    #expect(try Self.desired(supervisor) == [3, 1])
                }
                try write("groups: {a: {command: \(word)}}", to: file)
                supervisor.signal(SIGHUP)
                try supervisor.waitFor("supervisor_reloaded") { $0.level == "info" }
                #expect(try Self.desired(supervisor) == [1, 0])
                let ended = try supervisor.waitFor(3, "worker_exited") { $0.reason == "scale_down" }
                #expect(Set(ended.compactMap(\.worker)) == ["a-2", "a-3", "b-1"])
                let gone = try Tool.sergeantcg("scale", "--name", supervisor.name, "b", "2")
                #expect(gone.status == .code(1) && gone.output.contains("NoSuchTarget"), "\(gone.output)")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// What cannot be is refused with the reason, and changes nothing.
        @Test func whatCannotBeIsRefused() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let stranger = try Tool.sergeantcg("scale", "--name", supervisor.name, "web", "3")
                #expect(stranger.status == .code(1), "\(stranger.output)")
                #expect(stranger.output.contains("NoSuchTarget (target web)"), "\(stranger.output)")
                for workers in ["-1", "1000001", "x"] {
                    let wrong = try Tool.sergeantcg(
                        "scale", "--name", supervisor.name, "--", "sleep", workers)
                    #expect(wrong.status == .code(64), "\(workers): \(wrong.output)")
                }
                let client = try ControlCaller(ControlCaller.path(supervisor.name))
                for parameters in [
                    #"{"group":"sleep","workers":-1}"#, #"{"group":"sleep","workers":1000001}"#,
                    #"{"group":"sleep","workers":"2"}"#, #"{"group":"sleep"}"#,
                ] {
                    client.call("Scale", parameters: parameters)
                    let answer = try client.receive()
                    #expect(answer?["error"]?.text == "org.varlink.service.InvalidParameter")
                    #expect(answer?["parameters"]?["parameter"]?.text == "workers")
                }
                try supervisor.limitDescriptors(to: 100)
                let many = try Tool.sergeantcg("scale", "--name", supervisor.name, "sleep", "500")
                #expect(many.status == .code(1) && many.output.contains("ScaleFailed"), "\(many.output)")
                #expect(many.output.contains("500 workers need"), "\(many.output)")
                // What is there already is never too many to make fewer of.
                try supervisor.limitDescriptors(to: 27)
                #expect(try Self.desired(supervisor) == [2])
                let fewer = try Tool.sergeantcg("scale", "--name", supervisor.name, "sleep", "1")
                #expect(fewer.output == "sleep: 2 -> 1 workers\n", "\(fewer.output)")
                try supervisor.waitFor("worker_exited") { $0.slot == 2 && $0.reason == "scale_down" }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        private func write(_ text: String, to file: String) throws {
            let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            try #require(descriptor >= 0)
            close(descriptor)
            try #require(TextFile.write(text, to: file) == 0)
        }
    }
}
