import Glibc
import SupervisorHarness
import Testing

/// What memory means to a worker beyond its two limits.
extension Kernel {
    @Suite(.serialized) struct MemoryLadder {
        /// It may be above its threshold for as long as it is told, not held back meanwhile, and no longer.
        @Test func aWorkerIsBorneForAWhileAndThenRecycled() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "32M", "--memory-sustain", "2"],
                command: try TestWorker.command("hold", "48M"))
            try supervise(launch) { supervisor in
                let excess = try supervisor.waitFor("worker_memory_excess")
                let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                #expect(TextFile.read("\(leaf)/memory.high") == "max\n")
                let limit = try supervisor.waitFor("worker_memory_limit")
                #expect(limit.incarnation == 1)
                let borne = try #require(limit.microseconds) - #require(excess.microseconds)
                #expect(borne >= 1_990_000, "\(borne)")
                #expect(try supervisor.waitFor("worker_exited").reason == "memory_limit")
            }
        }

        @Test func oneThatEndsMeanwhileHasFinished() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "32M", "--memory-sustain", "60"],
                command: try TestWorker.command("allocate", "48M", "300", "exit"))
            try supervise(launch) { supervisor in
                try supervisor.waitFor("worker_memory_excess")
                #expect(try supervisor.waitFor("worker_exited").reason == "finished")
                #expect(!supervisor.lines.contains { $0.event == "worker_memory_limit" })
            }
        }

        /// A child that the kernel kills is told of, and is not what its worker dies of.
        @Test func aWorkerGoesOnWithoutTheChildThatWasKilled() throws {
            let launch = Launch(
                ["--memory-max", "64M", "--oom-policy", "continue", "--backoff-initial", "10"],
                command: try TestWorker.command("child-allocates", "200M"))
            try supervise(launch) { supervisor in
                let oom = try supervisor.waitFor("worker_oom")
                #expect(oom.other["main_killed"] == .bool(false))
                #expect(oom.oomKills == 1)
                try supervisor.waitForOutput { $0 == "child ended -9" }
                let started = try supervisor.waitFor("worker_started")
                #expect(oom.pid == started.pid)
                try #require(kill(try #require(started.pid), SIGKILL) == 0)
                #expect(try supervisor.waitFor("worker_exited").reason == "crashed")
                #expect(supervisor.lines.count { $0.event == "worker_oom" } == 1)
            }
        }

        /// Where the main process itself is killed, that is what it died of.
        @Test func aMainProcessThatIsKilledDiesOfItUnderThatPolicyToo() throws {
            let launch = Launch(
                ["--memory-max", "64M", "--oom-policy", "continue", "--backoff-initial", "10"],
                command: try TestWorker.command("allocate", "200M"))
            try supervise(launch) { supervisor in
                #expect(try supervisor.waitFor("worker_exited").reason == "oom_killed")
                let oom = try supervisor.waitFor("worker_oom")
                #expect(oom.other["main_killed"] == .bool(true))
            }
        }

        /// The kernel kills the worker that grew, all of it, and no other.
        @Test func theGroupsLimitEndsOnlyTheOneThatGrew() throws {
            let worker = try TestWorker.path()
            let script =
                "test $SERGEANT_SLOT = 2 && exec '\(worker)' breed 200M child; exec '\(worker)' hold 8M"
            let launch = Launch(
                [
                    "--concurrent-workers", "3", "--group-memory-max", "100M", "--backoff-initial", "10",
                ], command: ["/bin/sh", "-c", script])
            try supervise(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.slot == 2)
                #expect(end.reason == "oom_killed")
                #expect(try supervisor.waitFor("worker_oom").oomScope == "ancestor")
                let started = try #require(supervisor.lines.first { $0.event == "worker_started" })
                let leaf = try supervisor.directory(of: started)
                let group = leaf[..<(try #require(leaf.lastIndex(of: "/")))]
                #expect(TextFile.read("\(group)/memory.max") == "104857600\n")
                try supervisor.waitFor("worker_backoff")
                #expect(supervisor.lines.count { $0.event == "worker_exited" } == 1)
            }
        }

        /// A surge needs room for two.
        @Test(arguments: [("100M", false), ("240M", true)])
        func aWorkerYieldsOnlyWhereThereIsRoom(_ most: String, _ hasRoom: Bool) throws {
            let launch = Launch(
                [
                    "--max-lifetime", "3", "--surge", "--memory-max", "80M", "--group-memory-max", most,
                ], command: try TestWorker.command("hold", "40M"))
            try supervise(launch) { supervisor in
                let stopping = try supervisor.waitFor("worker_stopping")
                let started = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(stopping.incarnation == 1)
                #expect((started.position < stopping.position) == hasRoom)
                #expect(supervisor.lines.contains { $0.event == "worker_yielding" } == hasRoom)
            }
        }

        /// What a kernel without PSI cannot do is refused by name.
        @Test func pressureThatNobodyMeasuresIsRefused() throws {
            try #require(access("/proc/pressure/memory", F_OK) != 0)
            let launch = Launch(["--memory-pressure", "1/2"], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(69))
                #expect(supervisor.transcript.contains("memory.pressure"), "\(supervisor.transcript)")
            }
        }
    }
}
