import Glibc
import SupervisorHarness
import Testing

/// Cgroups that are not what the supervisor needs, or that are taken from it.
extension Kernel {
    @Suite(.serialized) struct LostGround {
        @Test func aRemovedGroupIsMadeAgainWithItsLimits() throws {
            let launch = Launch(
                ["--memory-max", "64M", "--max-worker-memory-usage", "32M", "--backoff-initial", "10ms"],
                command: try TestWorker.command("sleep"))
            try supervise(launch, mayHaveTrouble: true) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                let group = try supervisor.directory(of: first).split(separator: "/").dropLast()
                    .map { "/" + $0 }.joined()
                var position = first.position
                var pid = first.pid
                // The supervisor is stopped for a moment: else it is quicker than whoever removes.
                for _ in 0..<5 {
                    try #require(kill(supervisor.pid, SIGSTOP) == 0)
                    try #require(kill(try #require(pid), SIGKILL) == 0)
                    try Cgroupfs.clear(group)
                    try #require(kill(supervisor.pid, SIGCONT) == 0)
                    let end = try supervisor.waitFor("worker_exited", from: position)
                    #expect(end.reason == "crashed")
                    #expect(end.signal == SIGKILL)
                    let next = try supervisor.waitFor("worker_started", from: end.position)
                    let leaf = try supervisor.directory(of: next)
                    #expect(TextFile.read("\(leaf)/memory.max") == "67108864\n")
                    #expect(TextFile.read("\(leaf)/memory.high") == "33554432\n")
                    position = next.position
                    pid = next.pid
                }
            }
        }

        /// In a mount namespace of its own, so that only this supervisor loses it.
        @Test func cgroupsThatBecomeReadOnlyAreWaitedFor() throws {
            var launch = Launch(
                ["--memory-max", "64M", "--backoff-initial", "100ms", "--backoff-max", "100ms"],
                command: try TestWorker.command("sleep"))
            launch.wrapper = ["unshare", "--mount", "--propagation", "private"]
            try supervise(launch, mayHaveTrouble: true) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                try supervisor.waitFor("supervisor_ready")
                try remount("ro", for: supervisor)
                try #require(kill(try #require(first.pid), SIGKILL) == 0)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "crashed")
                let failures = try supervisor.waitFor(3, "worker_exited") { $0.reason == "start_failed" }
                for failure in failures {
                    #expect(failure.message.contains("could not start TestWorker-1"), "\(failure.message)")
                    #expect(failure.message.contains("EROFS"), "\(failure.message)")
                }
                try remount("rw", for: supervisor)
                let next = try supervisor.waitFor("worker_started", from: failures[2].position)
                #expect(TextFile.read("\(try supervisor.directory(of: next))/memory.max") == "67108864\n")
            }
        }

        /// Its workers are stopped all the same, what they took is accounted, and it ends.
        @Test func aStopInReadOnlyCgroupsEnds() throws {
            let account = "/tmp/sergeantcg-test-\(getpid())-read-only.jsonl"
            defer { unlink(account) }
            var launch = Launch(
                ["--memory-max", "64M", "--stop-timeout", "500ms", "--accounting", account],
                command: try TestWorker.command("ignore-term"))
            launch.wrapper = ["unshare", "--mount", "--propagation", "private"]
            // Not `supervise`: what cannot be removed is left, and said to be.
            try withSupervisor(launch) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                try supervisor.waitForOutput { $0 == "ready" }
                try remount("ro", for: supervisor)
                #expect(try supervisor.stop(within: .seconds(60)) == .code(0))
                // Told at the first refusal, and not waited for.
                let stuck = supervisor.lines.filter { $0.event == "worker_stuck" }
                #expect(stuck.count == 1)
                #expect(stuck.first?.cgroup == first.cgroup)
                #expect(stuck.first?.message.contains("(EROFS), 1 attempt was made") == true)
                let pid = try #require(first.pid)
                #expect(!ProcessFacts(pid).runs)
                #expect(try supervisor.waitFor("worker_exited").reason == "shutdown")
                let accounts = try #require(TextFile.read(account)).split(separator: "\n")
                    .map { JSONValue.parse($0.utf8) }
                #expect(accounts.map { $0?["reason"]?.text } == ["shutdown"])
                #expect(accounts.first??["memory_peak"]?.integer ?? 0 > 0, "\(accounts)")
                let last = supervisor.lines.map(\.event).filter { $0 != "supervisor_trouble" }.suffix(2)
                #expect(last == ["worker_accounted", "supervisor_stopped"])
                #expect(
                    supervisor.lines.contains {
                        $0.event == "supervisor_trouble" && $0.message.contains("EROFS")
                    })
            }
        }

        /// The controller is there for the cgroup above, which does not pass it on.
        @Test func aMemoryLimitWithoutTheControllerIsRefused() throws {
            try withOwnDirectory { above in
                let root = "\(above)/undelegated"
                try #require(mkdir(root, 0o755) == 0)
                for options in [["--memory-max", "64M"], ["--max-worker-memory-usage", "64M"]] {
                    var launch = Launch(
                        options + ["--cgroup", root], command: try TestWorker.command("sleep"))
                    launch.place = .inherited
                    try withSupervisor(launch) { supervisor in
                        let status = try supervisor.waitForExit()
                        #expect(status == .code(69))
                        let said = supervisor.strayLines.joined(separator: "\n")
                        #expect(said.contains("controller 'memory'"), "\(said)")
                        #expect(said.contains("\(root)/cgroup.controllers"), "\(said)")
                        #expect(
                            said.contains("cgroup.subtree_control") || said.contains("Delegate=yes"),
                            "\(said)")
                    }
                    #expect(Cgroupfs.count(below: above) == 1)
                    #expect(
                        TextFile.read("\(above)/cgroup.subtree_control")?.allSatisfy(\.isWhitespace) == true)
                }
            }
        }

        /// Without a limit there is no need of the controller.
        @Test func withoutTheControllerWorkersAreSupervisedUnaccounted() throws {
            try withOwnDirectory { above in
                let root = "\(above)/undelegated"
                try #require(mkdir(root, 0o755) == 0)
                var launch = Launch(["--cgroup", root], command: try TestWorker.command("exit", "0", "1200"))
                launch.place = .inherited
                try withSupervisor(launch) { supervisor in
                    try supervisor.waitFor("supervisor_notice") {
                        $0.message.contains("without memory accounting")
                    }
                    let end = try supervisor.waitFor("worker_exited")
                    #expect(end.reason == "finished")
                    #expect(end.memoryPeak == nil)
                    #expect(end.cpuUsageMicroseconds != nil)
                    #expect(try supervisor.stop() == .code(0))
                    #expect(Cgroupfs.count(below: root) == 0)
                }
            }
        }

        /// What somebody else enabled stays enabled.
        @Test func onlyItsOwnControllersAreGivenBack() throws {
            try withOwnDirectory { root in
                try #require(TextFile.write("+pids", to: "\(root)/cgroup.subtree_control") == 0)
                var launch = Launch(
                    ["--memory-max", "64M", "--pids-max", "10", "--cgroup", root],
                    command: try TestWorker.command("sleep"))
                launch.place = .inherited
                try withSupervisor(launch) { supervisor in
                    try supervisor.waitFor("supervisor_ready")
                    let during = TextFile.read("\(root)/cgroup.subtree_control") ?? ""
                    #expect(during.split(whereSeparator: \.isWhitespace).sorted() == ["memory", "pids"])
                    #expect(try supervisor.stop() == .code(0))
                }
                #expect(TextFile.read("\(root)/cgroup.subtree_control") == "pids\n")
                #expect(Cgroupfs.count(below: root) == 0)
            }
        }

        private func remount(_ way: String, for supervisor: SupervisorProcess) throws {
            let point = try Cgroupfs.mount().point
            try run(
                "nsenter", "--target", "\(supervisor.pid)", "--mount", "mount", "-o", "remount,bind,\(way)",
                point)
        }
    }
}
