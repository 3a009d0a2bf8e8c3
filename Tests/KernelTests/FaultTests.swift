import Glibc
import SupervisorHarness
import Testing

/// What goes wrong under upstream's supervisor, case by case, and must be right here.
extension Kernel {
    @Suite(.serialized) struct Faults {
        /// Upstream looks twice a second: it misses most of these.
        @Test(arguments: [0, 200]) func aSpikeIsNeverMissed(withPageCache cache: Int) throws {
            let times = 50
            let command = try TestWorker.command("spike", "300M", try diskDirectory(), "\(cache)M")
            let launch = Launch(
                ["--max-worker-memory-usage", "100M", "--log-level", "debug"], command: command)
            try supervise(launch) { supervisor in
                let seen = try supervisor.waitFor(times, "worker_memory_limit", within: .seconds(200))
                #expect(Set(seen.compactMap(\.incarnation)) == Set(1...times))
                for line in seen {
                    #expect(line.memoryLimit == 100 * mebibyte)
                    #expect(line.message.contains("exceeded the maximum memory limit"))
                }
                if cache > 0 {
                    // The cache was there, and raised its own alarms first.
                    let alarmed = supervisor.lines.filter { $0.event == "worker_memory_alarm" }
                    #expect(Set(alarmed.compactMap(\.incarnation)).isSuperset(of: 1...times))
                }
                // A worker that was missed ends by itself.
                #expect(!supervisor.lines.contains { $0.event == "worker_exited" && $0.reason == "finished" })
            }
        }

        @Test(arguments: ["anonymous", "shared", "threads"])
        func aFloodNeverPassesTheHardLimit(_ memory: String) throws {
            let times = 20
            let launch = Launch(
                ["--memory-max", "64M", "--backoff-initial", "10ms", "--backoff-max", "10ms"],
                command: try TestWorker.command("flood", memory))
            try supervise(launch) { supervisor in
                let ends = try supervisor.waitFor(times, "worker_exited", within: .seconds(100))
                for end in ends {
                    #expect(end.reason == "oom_killed")
                    #expect(end.signal == SIGKILL)
                    let peak = try #require(end.memoryPeak)
                    #expect(peak <= 64 * mebibyte)
                    // It did reach it.
                    #expect(peak > 63 * mebibyte)
                    #expect(end.oomKills ?? 0 > 0)
                }
                let kills = supervisor.lines.filter { $0.event == "worker_oom" }
                #expect(kills.count >= times)
                #expect(
                    kills.allSatisfy { $0.oomScope == "worker" && $0.other["main_killed"] == .bool(true) })
            }
        }

        /// No descriptor is free when the kernel kills a worker: why it died is known all the same.
        @Test func anOOMKillIsKnownWithoutADescriptor() throws {
            let launch = Launch(
                ["--memory-max", "32M"], command: try TestWorker.command("allocate", "200M", "2000"))
            try supervise(launch, mayHaveTrouble: true) { supervisor in
                try supervisor.waitFor("worker_started")
                // The one that its pidfd leaves free is above the limit, and none is below.
                let open = ProcessFacts(supervisor.pid).descriptors
                let pidfd = try #require(open.first { $0.value.contains("pidfd") }?.key)
                try #require((0..<pidfd).allSatisfy { open[$0] != nil })
                try supervisor.limitDescriptors(to: UInt64(pidfd))
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "oom_killed" && end.signal == SIGKILL)
                try supervisor.limitDescriptors(to: 1024)
                try supervisor.waitFor("worker_started") { $0.incarnation ?? 0 > 1 }
            }
        }

        enum Offspring: String, CaseIterable {
            case child
            case daemon
        }

        @Test(arguments: Offspring.allCases) func aGreedyChildIsChargedKilledAndGone(_ kind: Offspring) throws
        {
            let launch = Launch(
                ["--memory-max", "100M", "--backoff-initial", "10s"],
                command: try TestWorker.command("breed", "800M", kind.rawValue))
            try supervise(launch) { supervisor in
                let start = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: start)
                let oom = try supervisor.waitFor("worker_oom")
                // The whole worker dies at once, the parent with its child. The victim counts again in the kill
                // of its group.
                #expect(try #require(oom.oomKills) >= 2)
                #expect(oom.oomScope == "worker")
                #expect(
                    oom.message.contains(
                        "the kernel killed worker(\(start.pid ?? 0)) at its own memory limit"))
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "oom_killed")
                #expect(try #require(end.memoryPeak) <= 100 * mebibyte)
                try supervisor.waitFor("worker_backoff")
                try supervisor.waitUntil("the leaf is gone") { !Cgroupfs.exists(leaf) }
                #expect(Cgroupfs.allProcesses(in: supervisor.root) == [supervisor.pid])
            }
        }

        @Test(arguments: Offspring.allCases) func aGreedyChildIsRecycledWithItsParent(_ kind: Offspring)
            throws
        {
            let launch = Launch(
                ["--max-worker-memory-usage", "100M"],
                command: try TestWorker.command("breed", "800M", kind.rawValue))
            try supervise(launch) { supervisor in
                let start = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: start)
                let limit = try supervisor.waitFor("worker_memory_limit")
                #expect(limit.pid == start.pid)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
                // Never all that it wanted: beyond the limit there is a quarter more, to clean up in.
                #expect(try #require(end.memoryPeak) < 200 * mebibyte)
                try supervisor.waitUntil("the leaf is gone") { !Cgroupfs.exists(leaf) }
            }
        }

        @Test func aWorkerThatIgnoresTheStopSignalDiesAfterItsGrace() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "32M", "--stop-timeout", "1s"],
                command: try TestWorker.command("hold", "40M", "ignore"))
            try supervise(launch) { supervisor in
                let stopping = try supervisor.waitFor("worker_stopping")
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
                #expect(end.signal == SIGKILL)
                // The grace, and two seconds for a throttled sleep already begun.
                let waited = try seconds(from: stopping, to: end)
                #expect(waited > 2.9 && waited < 5, "\(waited)")
                // Its successor did not wait for it.
                let next = try #require(
                    supervisor.lines.first { $0.event == "worker_started" && $0.incarnation == 2 })
                #expect(next.position < end.position)
            }
        }

        /// Three seconds of clean-up, for 25 workers at once: first all are recycled, then all are stopped.
        @Test func cleanUpIsCompleted() throws {
            let workers = 25
            let launch = Launch(
                ["--concurrent-workers", "\(workers)", "--max-worker-memory-usage", "16M"],
                command: try TestWorker.command("hold", "18M", "clean-up", "3000", "2M"))
            try supervise(launch) { supervisor in
                let recycled = try supervisor.waitFor(workers, "worker_exited", within: .seconds(60))
                for end in recycled {
                    #expect(end.reason == "memory_limit")
                    #expect(end.exitCode == 0)
                    #expect(end.incarnation == 1)
                }
                var holding = 0
                try supervisor.waitForOutput(within: .seconds(60)) { line in
                    if line == "holding" { holding += 1 }
                    return holding == 2 * workers
                }
                #expect(try supervisor.stop() == .code(0))
                let stopped = supervisor.lines.filter { $0.event == "worker_exited" && $0.incarnation == 2 }
                #expect(stopped.count == workers)
                for end in stopped {
                    #expect(end.reason == "shutdown")
                    #expect(end.exitCode == 0)
                }
                #expect(supervisor.outputLines.count { $0 == "cleaned up" } == 2 * workers)
            }
        }

        /// The same for a `sergeant` worker's `finalize`: a second stop signal would kill it there.
        @Test func aSergeantWorkerCompletesItsCleanUp() throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch(
                "fault_cases", "CleansUp", ["--max-worker-memory-usage", "100M"], in: scratch,
                environment: ["TEST_HOLD": "\(90 * mebibyte)"])
            try supervise(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
                #expect(end.exitCode == 5)
                try supervisor.waitUntil("the second one waits") { scratch.lines("waiting").count == 2 }
                #expect(try supervisor.stop() == .code(0))
                #expect(scratch.lines("begun").count == 2)
                #expect(scratch.lines("completed") == scratch.lines("begun"))
            }
        }

        @Test func prefetchedTasksArePushedBack() throws {
            let scratch = try Scratch()
            let redis = try RedisServer(in: scratch.path)
            let launch = try Sergeant.launch(
                "fault_cases", "Prefetches", ["--max-worker-memory-usage", "100M"], in: scratch,
                environment: ["TEST_HOLD": "\(100 * mebibyte)", "TEST_REDIS_PORT": "\(redis.port)"])
            try supervise(launch) { supervisor in
                try supervisor.waitUntil("all tasks are done", within: .seconds(90)) {
                    !scratch.lines("all-done").isEmpty
                }
                #expect(try redis.length("kernel_test_tasks") == 0)
                // Each once, in spite of three workers that were recycled in the midst of a task.
                let done = try redis.elements("done").compactMap { Int($0) }
                #expect(done.sorted() == Array(0..<40))
                #expect(supervisor.lines.count { $0.event == "worker_memory_limit" } == 3)
                #expect(scratch.lines("all-done") == ["4"])
            }
        }

        @Test func aMegabyteOfExceptionArrivesWhole() throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch("fault_cases", "SpeaksAtLength", in: scratch)
            try supervise(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                let words = (0..<100_000).map { number in
                    let digits = String(number)
                    return String(repeating: "0", count: 9 - digits.count) + digits
                }
                let expected = "Exception('\(words.joined(separator: " "))')"
                #expect(end.exception?.utf8.count == expected.utf8.count)
                #expect(end.exception == expected)
                #expect(end.exitCode == 6)
                #expect(end.stacktrace?.contains("in initialize") == true)
                // The lines after the long one are not lost for it.
                try supervisor.waitFor("worker_backoff", from: end.position)
                let next = try supervisor.waitFor("worker_started", from: end.position)
                #expect(next.message == "worker(\(end.pid ?? 0)) was respawned as worker(\(next.pid ?? 0))")
            }
        }

        /// Even before the worker is ready, when a module that cannot be loaded would be fatal.
        @Test(arguments: ["ExitsWithTwo", "ExitsWithTwoInInitialize"])
        func anExitWithTwoIsAFailureAndNoMissingModule(_ worker: String) throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch("fault_cases", worker, in: scratch)
            try supervise(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "failed")
                #expect(end.exitCode == 2)
                #expect(end.message.contains("execution has been interrupted with return code: 2"))
                try supervisor.waitFor("worker_backoff", from: end.position)
                try supervisor.waitFor("worker_started", from: end.position) { $0.incarnation == 2 }
                #expect(!supervisor.lines.contains { $0.event == "group_failed" })
            }
        }

        @Test func aModuleMayHaveSpaces() throws {
            let scratch = try Scratch()
            let directory = try scratch.makeDirectory("a working directory")
            let path = try scratch.makeDirectory("a python path")
            try #require(
                symlink("\(Sergeant.workers)/spaced worker.py", "\(directory)/spaced worker.py") == 0)
            try #require(symlink("\(Sergeant.workers)/pool.py", "\(path)/pool.py") == 0)
            var launch = try Sergeant.launch(
                "spaced worker", "Worker", ["--log-level", "debug"], in: scratch)
            launch.workingDirectory = directory
            launch.environment["PYTHONPATH"] = path
            try supervise(launch) { supervisor in
                let start = try supervisor.waitFor("worker_started")
                #expect(start.message.hasPrefix("spawned a new worker at pid: "))
                try supervisor.waitFor("worker_ready")
            }
        }

        /// Upstream says of one in a hundred that it has finished successfully.
        @Test func everyKillIsReportedAsACrash() throws {
            let workers = 10
            let times = 200
            let launch = Launch(
                [
                    "--concurrent-workers", "\(workers)", "--memory-max", "64M", "--max-worker-memory-usage",
                    "32M",
                    "--backoff-initial", "1ms", "--backoff-max", "1ms",
                ],
                command: try TestWorker.command("sleep"))
            try supervise(launch) { supervisor in
                var alive: [Int32] = []
                var killed: [Int32] = []
                var position = 0
                while killed.count < times {
                    let count = min(Int.random(in: 1...workers), times - killed.count)
                    while alive.count < workers {
                        let start = try supervisor.waitFor("worker_started", from: position)
                        position = start.position + 1
                        alive.append(try #require(start.pid))
                    }
                    alive.shuffle()
                    for _ in 0..<count {
                        let pid = alive.removeLast()
                        try #require(kill(pid, SIGKILL) == 0)
                        killed.append(pid)
                    }
                }
                let ends = try supervisor.waitFor(times, "worker_exited")
                #expect(ends.compactMap(\.pid).sorted() == killed.sorted())
                #expect(ends.count { $0.reason == "crashed" && $0.signal == SIGKILL } == times)
                #expect(!supervisor.lines.contains { $0.event == "worker_oom" })
            }
        }

        @Test func aPythonWithoutSergeantIsSaidToBeOne() throws {
            let scratch = try Scratch()
            let bare = try scratch.makeProgram(
                "python", "#!/bin/sh\nexec '\(try Sergeant.python())' -I -S \"$@\"\n")
            var launch = Launch(["--python", bare, "--worker-module", "pool", "--worker-class", "Worker"])
            launch.environment = ["PYTHONPATH": Sergeant.workers]
            try supervise(launch) { supervisor in
                #expect(try supervisor.waitForExit() == .code(1))
                let end = try supervisor.waitFor("worker_exited")
                #expect(
                    end.message.contains("'sergeant' cannot be imported in this Python"), "\(end.message)")
                #expect(end.exception?.contains("No module named 'sergeant'") == true)
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 1)
            }
        }
    }
}
