import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// The program is replaced in place, on SIGUSR2, while it supervises.
    @Suite(.serialized) struct Upgrades {
        /// 20 upgrades under a client that connects without pause: no connection is refused, every worker lives on and
        /// is known, nothing that is open grows.
        @Test func twentyUpgradesLoseNothing() throws {
            let port = try FreePort.find()
            let launch = Launch(
                [
                    "--concurrent-workers", "3", "--backoff-initial", "0.05", "--listen",
                    "web=tcp://127.0.0.1:\(port)",
                ], command: try TestWorker.command("serve"))
            try withReplaceableProgram("twenty", launch) { supervisor, program in
                try supervisor.waitFor("supervisor_ready")
                for number in 0..<3 {
                    try supervisor.waitForOutput(from: number) { $0.hasPrefix("serving 1 web ours") }
                }
                let client = try Connector(["tcp", "127.0.0.1", "\(port)"])
                let workers = Set(supervisor.lines.filter { $0.event == "worker_started" }.compactMap(\.pid))
                #expect(workers.count == 3)
                let open = ProcessFacts(supervisor.pid).descriptors
                var position = 0
                for _ in 0..<20 {
                    try program.restore()
                    supervisor.signal(SIGUSR2)
                    position = try supervisor.waitFor("supervisor_upgraded", from: position).position + 1
                }
                let tally = try client.finish()
                #expect(tally.refused == 0 && tally.made > 100, "\(tally)")
                #expect(tally.unanswered == 0, "\(tally)")
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 3)
                #expect(!supervisor.lines.contains { $0.event == "worker_exited" })
                for pid in workers { #expect(ProcessFacts(pid).runs) }
                let after = ProcessFacts(supervisor.pid).descriptors
                #expect(after.count <= open.count, "\(open)\n\(after)")
                // The image is the one that lies there now.
                #expect(Self.link("/proc/\(supervisor.pid)/exe") == program.path)
                // It still knows its workers: which incarnation, and what of.
                let first = try #require(supervisor.waitFor("worker_started").pid)
                kill(first, SIGKILL)
                let end = try supervisor.waitFor("worker_exited") { $0.pid == first }
                #expect(end.reason == "crashed" && end.incarnation == 1)
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                let descriptors = ProcessFacts(try #require(next.pid)).descriptors.keys.filter { $0 > 3 }
                #expect(descriptors.count <= 1, "it inherited \(descriptors)")
                let environment = TextFile.read("/proc/\(next.pid ?? 0)/environ") ?? ""
                #expect(!environment.contains("SERGEANTCG_STATE"))
                #expect(environment.contains("LISTEN_FDNAMES=web"))
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        private static func link(_ path: String) -> String? {
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink(path, &buffer, buffer.count - 1)
            return count < 0
                ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        /// The grace of a worker, begun before an upgrade, ends when it would have ended.
        @Test func timersGoOn() throws {
            let launch = Launch(
                ["--stop-timeout", "15"], command: try TestWorker.command("ignore-term"))
            try withReplaceableProgram("timers", launch) { supervisor, _ in
                try supervisor.waitForOutput { $0.hasPrefix("ready") || $0.hasPrefix("ignoring") }
                supervisor.signal(SIGTERM)
                let asked = try supervisor.waitFor("worker_stopping")
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                let end = try supervisor.waitFor("worker_exited")
                let grace = try #require(end.microseconds) - #require(asked.microseconds)
                #expect((14_900_000..<25_000_000).contains(grace), "the grace took \(grace) microseconds")
                #expect(end.signal == 9 && end.reason == "shutdown")
                #expect(try supervisor.waitForExit() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The back-off doubles on, incarnations are counted on, a wait goes on.
        @Test func failuresAreRemembered() throws {
            let launch = Launch(
                ["--backoff-initial", "0.2", "--backoff-max", "30"],
                command: try TestWorker.command("exit", "1"))
            try withReplaceableProgram("failures", launch) { supervisor, _ in
                var position = 0
                for failures in 1...5 {
                    let wait = try supervisor.waitFor("worker_backoff", from: position)
                    position = wait.position + 1
                    #expect(wait.failures == failures)
                    let base = Int64(200_000 << (failures - 1))
                    let delay = try #require(wait.delayMicroseconds)
                    #expect(delay >= base * 4 / 5 - 1)
                    #expect(delay <= base * 6 / 5 + 1)
                    supervisor.signal(SIGUSR2)
                    try supervisor.waitFor("supervisor_upgraded", from: position)
                    let started = try supervisor.waitFor("worker_started") { $0.incarnation == failures + 1 }
                    let waited = try #require(started.microseconds) - #require(wait.microseconds)
                    #expect(waited >= delay - 1000, "\(waited) of \(delay)")
                }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The limit of descriptors was lowered since the start. Where the next image could not go on with what is left it
        /// does not take over; where it could, it asks for no more, though its workers may need more in the end.
        @Test func aLimitLoweredMeanwhileLosesNoWorker() throws {
            let launch = Launch(
                ["--concurrent-workers", "20", "--backoff-initial", "600", "--backoff-max", "600"],
                command: try TestWorker.command("exit", "1"))
            try withReplaceableProgram("lowered", launch) { supervisor, _ in
                try supervisor.waitFor(20, "worker_backoff")
                let open = ProcessFacts(supervisor.pid).descriptors
                try supervisor.limitDescriptors(to: UInt64((open.keys.max() ?? 0) + 8))
                supervisor.signal(SIGUSR2)
                let refused = try supervisor.waitFor("supervisor_upgrade_refused")
                #expect(refused.message.contains("open files"), "\(refused.message)")
                try supervisor.limitDescriptors(to: UInt64(open.count + 24))
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A worker that dies while one image hands over to the next is noticed by the next, with how it ended.
        @Test func deathsMeanwhileAreNoticed() throws {
            let launch = Launch(
                ["--concurrent-workers", "8", "--backoff-initial", "0.01", "--backoff-max", "0.01"],
                command: try TestWorker.command("sleep"))
            try withReplaceableProgram("deaths", launch) { supervisor, _ in
                try supervisor.waitFor("supervisor_ready")
                var position = 0
                for _ in 0..<10 {
                    let alive = Self.running(supervisor)
                    supervisor.signal(SIGUSR2)
                    // At the latest after the exec.
                    for pid in alive {
                        kill(pid, SIGUSR1)
                        usleep(20_000)
                    }
                    position = try supervisor.waitFor("supervisor_upgraded", from: position).position + 1
                    for pid in alive {
                        let end = try supervisor.waitFor("worker_exited") { $0.pid == pid }
                        #expect(end.reason == "crashed" && end.signal == Int32(SIGUSR1))
                    }
                    try supervisor.waitUntil("there are eight again") { Self.running(supervisor).count == 8 }
                }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The first death after an upgrade, of a group that has started nobody since: its cgroup goes, and who was left in it.
        @Test func whatIsLeftIsRemovedAfterwards() throws {
            let launch = Launch(
                ["--backoff-initial", "1", "--stop-timeout", "0.5"],
                command: try TestWorker.command("fork-many", "1"))
            try withReplaceableProgram("left", launch) { supervisor, _ in
                try supervisor.waitForOutput { $0.hasPrefix("forked 1") }
                let started = try supervisor.waitFor("worker_started")
                let directory = try supervisor.directory(of: started)
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                kill(try #require(started.pid), SIGKILL)
                try supervisor.waitFor("worker_leftovers")
                try supervisor.waitUntil("\(directory) is removed") { access(directory, F_OK) != 0 }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        private static func running(_ supervisor: SupervisorProcess) -> [Int32] {
            let ended = Set(supervisor.lines.filter { $0.event == "worker_exited" }.compactMap(\.pid))
            return supervisor.lines.filter { $0.event == "worker_started" }.compactMap(\.pid).filter {
                !ended.contains($0)
            }
        }

        /// A program that is broken, says nothing, does not understand or is missing: the old one goes on, says why,
        /// and can still be upgraded afterwards.
        @Test(arguments: [
            ("fails", "#!/bin/sh\necho it is broken\nexit 3\n", "exited with 3: it is broken"),
            ("silent", "#!/bin/sh\nexit 0\n", "did not say OK"),
            ("dies", "#!/bin/sh\nkill -9 $$\n", "signal 9"),
            ("no-program", "nothing\n", "cannot"),
            ("hangs", "#!/bin/sh\nsleep 1000\n", "did not say within 30 s"),
        ])
        func aBrokenProgramDoesNotTakeOver(name: String, script: String, sentence: String) throws {
            let launch = Launch(["--concurrent-workers", "2"], command: try TestWorker.command("sleep"))
            try withReplaceableProgram(name, launch) { supervisor, program in
                try supervisor.waitFor("supervisor_ready")
                let workers = Self.running(supervisor)
                let open = ProcessFacts(supervisor.pid).descriptors.count
                try program.replace(by: script)
                supervisor.signal(SIGUSR2)
                if name == "hangs" {
                    // The loop does not wait for it.
                    kill(workers[0], SIGKILL)
                    let end = try supervisor.waitFor("worker_exited", within: .seconds(8))
                    #expect(end.reason == "crashed")
                    try supervisor.waitFor("worker_started", within: .seconds(8)) { $0.incarnation == 2 }
                }
                let trouble = try supervisor.waitFor("supervisor_upgrade_refused")
                #expect(trouble.message.contains(sentence), "\(trouble.message)")
                #expect(trouble.message.contains("goes on"), "\(trouble.message)")
                #expect(!supervisor.lines.contains { $0.event == "supervisor_upgraded" })
                try supervisor.waitUntil("nothing of the check is left") {
                    ProcessFacts(supervisor.pid).descriptors.count == open
                }
                for pid in Self.running(supervisor) { #expect(ProcessFacts(pid).runs) }
                try program.restore()
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                #expect(Self.running(supervisor).contains(workers[1]))
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A program that approves and then cannot be run: the old one takes everything up again.
        @Test func aFailedExecIsTakenBack() throws {
            let launch = Launch(["--concurrent-workers", "2"], command: try TestWorker.command("sleep"))
            try withReplaceableProgram("exec", launch) { supervisor, program in
                try supervisor.waitFor("supervisor_ready")
                let workers = Self.running(supervisor)
                // Says that it could, and takes itself away.
                try program.replace(by: "#!/bin/sh\nrm -f '\(program.path)'\necho OK\n")
                supervisor.signal(SIGUSR2)
                let trouble = try supervisor.waitFor("supervisor_upgrade_refused")
                #expect(trouble.message.contains("No such file"), "\(trouble.message)")
                kill(workers[0], SIGKILL)
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                let pid = try #require(next.pid)
                // A sanitizer opens one as it begins.
                try supervisor.waitUntil("nothing is open but standard input and output") {
                    ProcessFacts(pid).descriptors.keys.sorted() == [0, 1, 2]
                }
                #expect(Self.running(supervisor).contains(workers[1]))
                try program.restore()
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// Whatever stands in the place of a state: one sentence, exit status 1, and no approval.
        @Test(arguments: ["", "x", "sergeantcg-state", "sergeantcg-state 99\\n{}", "sergeantcg-state 1\\n{}"])
        func whatIsNoStateIsRefused(content: String) throws {
            let binary = try SupervisorProcess.program()
            let script = #"printf "$1" >"$2"; exec 3<"$2"; rm "$2"; exec "$0" --check-state 3 -- sleep 1"#
            let path = "/tmp/sergeantcg-test-\(getpid())-state"
            let (status, output) = try Tool.run(["/bin/sh", "-c", script, binary, content, path])
            #expect(status == .code(1), "\(output)")
            #expect(output.split(separator: "\n").count == 1 && output.contains("state"), "\(output)")
        }

        /// Requests that come together are one upgrade; a stop asked for meanwhile is not lost.
        @Test func aStopMeanwhileIsKept() throws {
            let launch = Launch(["--concurrent-workers", "4"], command: try TestWorker.command("sleep"))
            for delay in [0, 20_000, 60_000, 120_000] as [UInt32] {
                try withReplaceableProgram("stop", launch) { supervisor, _ in
                    try supervisor.waitFor("supervisor_ready")
                    supervisor.signal(SIGUSR2)
                    usleep(delay)
                    supervisor.signal(SIGTERM)
                    let end = try supervisor.waitForExit()
                    #expect(end == .code(0), "\(supervisor.transcript)")
                    #expect(supervisor.lines.count { $0.event == "worker_exited" } == 4)
                    expectNothingLeft(supervisor)
                }
            }
        }
    }
}
