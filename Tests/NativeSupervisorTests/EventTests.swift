import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// What is remembered and told over the control socket: Watch, and `sergeantcg events`.
    @Suite(.serialized) struct Events {
        private static let pair = Launch(
            ["--concurrent-workers", "2", "--backoff-initial", "0.01", "--backoff-max", "0.01"],
            command: ["/bin/sleep", "600"])

        /// Each event as a line of the log has it, in its order, and its number.
        private static func check(_ events: [JSONValue], against supervisor: SupervisorProcess) throws {
            supervisor.readAvailable()
            let remembered = supervisor.lines.filter { $0.event != "worker_status" }
            #expect(events.compactMap { $0["number"]?.integer } == Array(1...Int64(events.count)))
            #expect(events.count <= remembered.count)
            for (event, line) in zip(events, remembered) {
                let told = try #require(event["line"])
                #expect(told["event"]?.text == line.event)
                #expect(told["level"]?.text == line.level)
                #expect(told["message"]?.text == line.message)
                #expect(told["worker"]?.text == line.worker)
                #expect(told["pid"]?.integer == line.pid.map { Int64($0) })
                #expect(told["reason"]?.text == line.reason)
                let time = try #require(told["time"]?.text.flatMap { WallClock.microseconds($0) })
                #expect(abs(time - (try #require(line.microseconds))) < 1_000_000)
            }
        }

        /// All that the log has said, then what it says: over an upgrade too.
        @Test(arguments: [false, true])
        func whatTheLogSaysIsTold(isUpgraded: Bool) throws {
            let launch = Launch(
                [
                    "--concurrent-workers", "2", "--backoff-initial", "0.01", "--log-level", "debug",
                ], command: ["/bin/sleep", "600"])
            try withReplaceableProgram("events-\(isUpgraded)", launch) { supervisor, _ in
                try supervisor.waitFor("supervisor_ready")
                let watcher = try ControlCaller(ControlCaller.path(supervisor.name))
                watcher.call("Watch", more: true)
                var events: [JSONValue] = []
                func receive(until event: String) throws {
                    while !events.contains(where: { $0["line"]?["event"]?.text == event }) {
                        let reply = try #require(try watcher.receive())
                        #expect(reply["continues"] == .bool(true))
                        #expect(reply["parameters"]?["lost"]?.integer == 0)
                        for index in 0... {
                            guard let event = reply["parameters"]?["events"]?[index] else { break }
                            events.append(event)
                        }
                    }
                }
                try receive(until: "supervisor_ready")
                try Self.check(events, against: supervisor)
                if isUpgraded {
                    supervisor.signal(SIGUSR2)
                    try receive(until: "supervisor_upgraded")
                }
                kill(try #require(try supervisor.waitFor("worker_started").pid), SIGKILL)
                try receive(until: "worker_backoff")
                try supervisor.waitFor("worker_backoff")
                try Self.check(events, against: supervisor)
                // The end is told too, and then the connection ends.
                supervisor.signal(SIGTERM)
                try receive(until: "supervisor_stopped")
                #expect(try watcher.receive() == nil)
                #expect(try supervisor.waitForExit() == .code(0))
                try Self.check(events, against: supervisor)
            }
        }

        /// Who asks without `more` gets one reply, from where it wants.
        @Test func oneReplyWithoutMore() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let caller = try ControlCaller(ControlCaller.path(supervisor.name))
                caller.call("Watch")
                let all = try #require(try caller.receive()?["parameters"]?["events"])
                caller.call("Watch", parameters: #"{"after":2}"#)
                let reply = try #require(try caller.receive())
                #expect(reply["continues"] == nil)
                #expect(reply["parameters"]?["events"]?[0] == all[2])
                #expect(reply["parameters"]?["events"]?[0]?["number"]?.integer == 3)
                for wrong in ["-1", "\"1\"", "1.5"] {
                    caller.call("Watch", parameters: #"{"after":\#(wrong)}"#)
                    #expect(try caller.receive()?["error"]?.text == "org.varlink.service.InvalidParameter")
                }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// More occurs than is remembered: who asks from further back is told how much is missing.
        @Test func theOldestIsForgotten() throws {
            let launch = Launch(
                ["--concurrent-workers", "4", "--backoff-initial", "0.001", "--backoff-max", "0.001"],
                command: try TestWorker.command("exit", "1"))
            try withSupervisor(launch) { supervisor in
                // Each has at least a start, an end and a back-off.
                try supervisor.waitFor(400, "worker_exited", within: .seconds(60))
                let caller = try ControlCaller(ControlCaller.path(supervisor.name))
                caller.call("Watch", parameters: #"{"after":1}"#)
                let reply = try #require(try caller.receive()?["parameters"])
                let lost = try #require(reply["lost"]?.integer)
                #expect(lost > 100)
                #expect(reply["events"]?[0]?["number"]?.integer == 1 + lost + 1)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// 70 watchers: the one that was told the longest ago goes first, and a status is answered all the same.
        @Test func watchersKeepNobodyOut() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let path = ControlCaller.path(supervisor.name)
                var watchers: [ControlCaller] = []
                for _ in 0..<70 {
                    let watcher = try ControlCaller(path)
                    watcher.call("Watch", more: true)
                    #expect(try watcher.receive() != nil)
                    watchers.append(watcher)
                }
                #expect(try Tool.sergeantcg("status", "--name", supervisor.name).status == .code(0))
                #expect(try watchers[0].receive() == nil)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The command prints what the log has printed, as text or as the same lines.
        @Test func theCommandPrintsThem() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let json = try Tool.sergeantcg("events", "--json", "--name", supervisor.name)
                #expect(json.status == .code(0))
                let lines = json.output.split(separator: "\n").compactMap { JSONValue.parse($0.utf8) }
                let started = lines.filter { $0["event"]?.text == "worker_started" }.compactMap {
                    $0["pid"]?.integer
                }
                #expect(
                    started.count == 2
                        && started
                            == supervisor.lines.filter { $0.event == "worker_started" }.compactMap {
                                $0.pid.map { Int64($0) }
                            }
                )
                let text = try Tool.sergeantcg("events", "--name", supervisor.name)
                #expect(
                    text.output.contains(" INFO     spawned a new worker at pid: \(started.first ?? 0)\n"))
                #expect(text.output.split(separator: "\n").count == lines.count)
                let recent = try Tool.sergeantcg("events", "--since", "1h", "--name", supervisor.name)
                #expect(recent.output == text.output)
                let none = try Tool.sergeantcg("events", "--since", "0", "--name", supervisor.name)
                #expect(none.output == "" && none.status == .code(0))
                #expect(try Tool.sergeantcg("events", "--since", "soon").status == .code(64))
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// `--follow` tells until the supervisor ends; like every command that waits it can be interrupted.
        @Test func followingGoesOnUntilTheEndOrAnInterruption() throws {
            try withSupervisor(Self.pair) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let binary = try SupervisorProcess.program()
                for number in [SIGINT, SIGTERM, 0] {
                    var ends: [Int32] = [-1, -1]
                    try #require(pipe(&ends) == 0)
                    defer { close(ends[0]) }
                    let follower = try Tool.start(
                        [binary, "events", "--follow", "--json", "--name", supervisor.name], output: ends[1])
                    close(ends[1])
                    var output: [UInt8] = []
                    var buffer = [UInt8](repeating: 0, count: 65536)
                    func receive(until text: String) {
                        while !String(decoding: output, as: UTF8.self).contains(text) {
                            let count = read(ends[0], &buffer, buffer.count)
                            guard count > 0 else { return }
                            output += buffer[..<count]
                        }
                    }
                    receive(until: "supervisor_ready")
                    if number == 0 {
                        #expect(try supervisor.stop() == .code(0))
                        receive(until: "supervisor_stopped")
                        #expect(String(decoding: output, as: UTF8.self).contains("supervisor_stopped"))
                        #expect(try follower.waitForEnd() == .code(0))
                    } else {
                        kill(follower.pid, number)
                        #expect(try follower.waitForEnd() == .signal(number))
                    }
                }
            }
        }
    }
}
