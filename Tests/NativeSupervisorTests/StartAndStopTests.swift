import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct StartAndStop {
        /// Each worker, its child and its double-forked grandchild say where they are, in their first
        /// instruction: 1,000 of 1,000 in the worker's own leaf. Then all of them end.
        @Test func everyProcessIsInItsOwnLeaf() throws {
            let workers = 1000
            let launch = Launch(
                ["--concurrent-workers", "\(workers)"], command: try TestWorker.command("place"))
            try withSupervisor(launch) { supervisor in
                let started = try supervisor.waitFor(workers, "worker_started", within: .seconds(120))
                var told: [String: [String]] = [:]
                var seen = 0
                try supervisor.waitForOutput(within: .seconds(120)) { line in
                    let parts = line.split(separator: " ").map(String.init)
                    if parts.count == 3 { told[parts[0], default: []].append(parts[2]) }
                    seen += 1
                    return seen == 3 * workers
                }
                let leaves = Set(started.compactMap(\.cgroup))
                #expect(leaves.count == workers)
                for who in ["worker", "child", "grandchild"] {
                    #expect(told[who]?.count == workers)
                    #expect(Set(told[who] ?? []) == leaves, "\(who)")
                }
                try supervisor.waitFor("supervisor_ready")
                #expect(try supervisor.stop(within: .seconds(120)) == .code(0))
                #expect(supervisor.lines.count { $0.event == "worker_exited" } == workers)
                expectNothingLeft(supervisor)
            }
        }

        /// In the hierarchy's root it makes a subtree of its own there, and removes it.
        @Test func inTheRootItMakesASubtree() throws {
            var launch = Launch(["--concurrent-workers", "2"], command: try TestWorker.command("sleep"))
            launch.place = .inherited
            try withSupervisor(launch) { supervisor in
                let ready = try supervisor.waitFor("supervisor_ready")
                let own = try Cgroupfs.mount().directory(ProcessFacts(getpid()).cgroup ?? "")
                if access("\(own)/cgroup.events", F_OK) != 0 {
                    #expect(ready.cgroup?.hasSuffix("/sergeantcg-\(supervisor.name)") == true)
                    #expect(Cgroupfs.exists(supervisor.root))
                }
                #expect(try supervisor.stop() == .code(0))
                #expect(!Cgroupfs.exists(supervisor.root))
            }
        }

        /// An ordinary user, to whom the cgroup was delegated, needs nothing else. The log's pipe is another
        /// user's there, and may not be opened.
        @Test func anOrdinaryUserInADelegatedCgroup() throws {
            var launch = Launch(
                ["--concurrent-workers", "3", "--stop-timeout", "0.3", "--backoff-initial", "0.01"],
                command: try TestWorker.command("ignore-term"))
            launch.owner = 65534
            launch.wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
            try withSupervisor(launch) { supervisor in
                let started = try supervisor.waitFor(3, "worker_started")
                #expect(ProcessFacts(supervisor.pid).status("Uid") == "65534 65534 65534 65534")
                for line in started {
                    let facts = ProcessFacts(try #require(line.pid))
                    #expect(facts.status("Uid") == "65534 65534 65534 65534")
                    #expect(facts.cgroup == line.cgroup)
                }
                try waitForOutput(supervisor, 3, "ready")
                kill(try #require(started.first?.pid), SIGKILL)
                let ended = try supervisor.waitFor("worker_exited")
                #expect(ended.reason == "crashed" && ended.signal == SIGKILL)
                try supervisor.waitFor(4, "worker_started")
                #expect(try supervisor.stop() == .code(0))
                #expect(!supervisor.lines.contains { $0.event == "supervisor_trouble" })
                expectNothingLeft(supervisor)
            }
        }

        /// SIGTERM 0, 10, … 490 ms after the start ends everything, 50 of 50: before the program's first
        /// instruction by the signal's own effect, from then on as asked.
        @Test func aStopAtAnyMomentIsClean() throws {
            var stopped = 0
            for step in 0..<50 {
                let launch = Launch(["--concurrent-workers", "5"], command: try TestWorker.command("sleep"))
                try withSupervisor(launch) { supervisor in
                    // The delay is what is tested, not a wait for something.
                    usleep(UInt32(step) * 10_000)
                    let status = try supervisor.stop()
                    if status == .code(0) {
                        stopped += 1
                    } else {
                        #expect(status == .signal(SIGTERM), "\(step): \(supervisor.transcript)")
                        #expect(supervisor.lines.isEmpty && supervisor.outputLines.isEmpty)
                    }
                    let started = supervisor.lines.compactMap { $0.event == "worker_started" ? $0.pid : nil }
                    #expect(started.allSatisfy { !ProcessFacts($0).runs })
                    expectNothingLeft(supervisor)
                }
            }
            #expect(stopped > 25)
        }

        /// A worker gets the stop signal once, and the time it needs; its exit is its own.
        @Test func cleaningUpIsNotInterrupted() throws {
            let launch = Launch(
                ["--concurrent-workers", "25"], command: try TestWorker.command("clean-up", "1500"))
            try withSupervisor(launch) { supervisor in
                try waitForOutput(supervisor, 25, "ready")
                #expect(try supervisor.stop() == .code(0))
                #expect(supervisor.outputLines.count { $0 == "cleaned 1" } == 25, "\(supervisor.transcript)")
                let ends = supervisor.lines.filter { $0.event == "worker_exited" }
                #expect(ends.count == 25)
                #expect(ends.allSatisfy { $0.reason == "shutdown" && $0.exitCode == 0 && $0.signal == nil })
                expectNothingLeft(supervisor)
            }
        }

        /// A worker that ignores the stop signal is killed when its grace is over, not before and not much
        /// later.
        @Test func whoIgnoresTheSignalIsKilledAfterTheGrace() throws {
            let launch = Launch(
                ["--concurrent-workers", "3", "--stop-timeout", "0.5"],
                command: try TestWorker.command("ignore-term"))
            try withSupervisor(launch) { supervisor in
                try waitForOutput(supervisor, 3, "ready")
                #expect(try supervisor.stop() == .code(0))
                for slot in 1...3 {
                    let asked = try supervisor.waitFor("worker_stopping") { $0.slot == slot }
                    let ended = try supervisor.waitFor("worker_exited") { $0.slot == slot }
                    #expect(ended.reason == "shutdown")
                    #expect(ended.signal == SIGKILL)
                    let grace = try #require(ended.microseconds) - #require(asked.microseconds)
                    #expect((500_000..<3_000_000).contains(grace), "\(grace) microseconds")
                }
                expectNothingLeft(supervisor)
            }
        }

        /// What a worker leaves behind gets the stop signal and a grace, and is killed then. It does not hold
        /// up the worker's successor.
        @Test(arguments: ["plain", "clean", "ignore"])
        func leftoversAreEnded(kind: String) throws {
            // The marker makes the successor stay.
            let marker = "/tmp/sergeantcg-test-\(getpid())-\(kind)"
            let daemon = try TestWorker.path()
            let script = #"if [ -e "$1" ]; then exec "$0" sleep; fi; : >"$1"; exec "$0" leave-daemon "$2" 0"#
            let launch = Launch(
                ["--stop-timeout", "1.5"], command: ["/bin/sh", "-c", script, daemon, marker, kind])
            defer { unlink(marker) }
            try withSupervisor(launch) { supervisor in
                let told = try supervisor.waitForOutput { $0.hasPrefix("daemon ") }
                let left = ProcessFacts(try #require(Int32(told.dropFirst("daemon ".count))))
                let leftovers = try supervisor.waitFor("worker_leftovers") { $0.incarnation == 1 }
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                if kind == "ignore" { #expect(left.runs, "the successor waited for what was left behind") }
                #expect(left.waitForEnd())
                let grace = WallClock.now() - (try #require(leftovers.microseconds))
                if kind == "ignore" {
                    #expect(grace >= 1_500_000 && grace < 6_000_000, "\(grace) microseconds")
                } else {
                    #expect(grace < 1_500_000, "it was killed, not asked: \(grace) microseconds")
                }
                let ended = try supervisor.waitFor("worker_exited") { $0.incarnation == 1 }
                #expect(ended.reason == "finished" && ended.exitCode == 0)
                let leaf = try supervisor.directory(of: supervisor.waitFor("worker_started"))
                try supervisor.waitUntil("\(leaf) is removed") { !Cgroupfs.exists(leaf) }
                #expect(ProcessFacts(try #require(next.pid)).runs)
                #expect(try supervisor.stop() == .code(0))
                if kind == "clean" { #expect(supervisor.outputLines.contains("cleaned 1")) }
                expectNothingLeft(supervisor)
            }
        }

        /// Ctrl-C at a terminal reaches only the supervisor, which lets the workers clean up.
        @Test func ctrlCLetsWorkersCleanUp() throws {
            var launch = Launch(
                ["--concurrent-workers", "2"], command: try TestWorker.command("clean-up", "300"))
            launch.input = .terminal
            try withSupervisor(launch) { supervisor in
                try waitForOutput(supervisor, 2, "ready")
                try supervisor.type("\u{3}")
                #expect(try supervisor.waitForExit() == .code(0))
                #expect(supervisor.outputLines.count { $0 == "cleaned 1" } == 2)
                expectNothingLeft(supervisor)
            }
        }

        /// A second Ctrl-C kills.
        @Test func ctrlCTwiceKills() throws {
            var launch = Launch(
                ["--concurrent-workers", "2", "--stop-timeout", "600"],
                command: try TestWorker.command("ignore-term"))
            launch.input = .terminal
            try withSupervisor(launch) { supervisor in
                try waitForOutput(supervisor, 2, "ready")
                try supervisor.type("\u{3}")
                try supervisor.waitFor("supervisor_stopping")
                try supervisor.waitFor(2, "worker_stopping")
                #expect(supervisor.status == nil)
                try supervisor.type("\u{3}")
                #expect(try supervisor.waitForExit() == .code(0))
                let ends = supervisor.lines.filter { $0.event == "worker_exited" }
                #expect(ends.map(\.signal) == [SIGKILL, SIGKILL])
                expectNothingLeft(supervisor)
            }
        }
    }
}

/// Waits until a line stood so many times on stdout.
func waitForOutput(_ supervisor: SupervisorProcess, _ count: Int, _ text: String) throws {
    var seen = 0
    try supervisor.waitForOutput { line in
        if line == text { seen += 1 }
        return seen == count
    }
}
