import SupervisorHarness
import Testing

/// The cases that upstream tests its own supervisor with, against real `sergeant` workers: its words, the
/// worker's exit codes, and what is here in place of its exit status.
extension Kernel {
    @Suite(.serialized) struct UpstreamCases {
        struct Case: Sendable, CustomTestStringConvertible {
            var worker: String
            var exitCode: Int32
            var reason: String
            var words: String
            var exception: String?

            var testDescription: String { worker }
        }

        static let respawned = [
            Case(worker: "Succeeds", exitCode: 0, reason: "finished", words: "has finished successfully"),
            Case(
                worker: "FailsInInitialize", exitCode: 6, reason: "failed",
                words: "internal execution has failed",
                exception: "Exception('some exception in initialize')"),
            Case(
                worker: "FailsInFinalize", exitCode: 6, reason: "failed",
                words: "internal execution has failed",
                exception: "Exception('some exception in finalize')"),
            Case(
                worker: "FailsInExecutor", exitCode: 6, reason: "failed",
                words: "internal execution has failed",
                exception: "Exception('some exception in the executor')"),
            Case(
                worker: "AsksToRespawn", exitCode: 4, reason: "respawn_requested",
                words: "has requested to respawn"),
            Case(
                worker: "FailsAbnormally", exitCode: 1, reason: "failed",
                words:
                    "execution has failed with the following exception: Exception('some abnormal exception')",
                exception: "Exception('some abnormal exception')"),
        ]

        @Test(arguments: respawned) func theWorkerIsRespawned(_ example: Case) throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch("upstream_cases", example.worker, in: scratch)
            try supervise(launch) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                let pid = try #require(first.pid)
                #expect(first.message == "spawned a new worker at pid: \(pid)")

                let end = try supervisor.waitFor("worker_exited")
                expect(end, example, pid: pid)

                let second = try supervisor.waitFor("worker_started", from: end.position)
                #expect(second.message == "worker(\(pid)) was respawned as worker(\(second.pid ?? 0))")
                #expect(second.incarnation == 2)
            }
        }

        static let stopping = ["AsksToStop", "AsksToStopInInitialize", "AsksToStopInFinalize"].map {
            Case(worker: $0, exitCode: 5, reason: "stop_requested", words: "has requested to stop")
        }

        @Test(arguments: stopping) func theWorkerAsksToStop(_ example: Case) throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch(
                "upstream_cases", example.worker, ["--concurrent-workers", "2"], in: scratch)
            try supervise(launch) { supervisor in
                let first = try supervisor.waitFor("worker_started") { $0.slot == 1 }
                let pid = try #require(first.pid)
                #expect(first.message == "spawned a new worker at pid: \(pid)")
                let end = try supervisor.waitFor("worker_exited") { $0.slot == 1 }
                expect(end, example, pid: pid)
                #expect(end.message.contains("has stopped"))

                // It is not respawned, the others are asked to stop, and that is success.
                #expect(try supervisor.waitForExit() == .code(0))
                let other = try #require(
                    supervisor.lines.first { $0.event == "worker_exited" && $0.slot == 2 })
                #expect(other.reason == "shutdown")
                #expect(other.message.contains("not going to respawn since the stop process has started"))
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 2)
                #expect(supervisor.lines.last?.message.contains("no more workers to supervise") == true)
                #expect(supervisor.lines.last?.message.contains("exiting...") == true)
            }
        }

        struct Unloadable: Sendable, CustomTestStringConvertible {
            var module: String
            var name: String
            var end: Case

            var testDescription: String { "\(module).\(name)" }
        }

        static let unloadable = [
            Unloadable(
                module: "no_such_module", name: "Worker",
                end: Case(
                    worker: "", exitCode: 2, reason: "failed",
                    words: "could not load worker module: no_such_module",
                    exception: #"ModuleNotFoundError("No module named 'no_such_module'")"#)),
            Unloadable(
                module: "upstream_cases", name: "NoSuchClass",
                end: Case(
                    worker: "", exitCode: 3, reason: "failed",
                    words: "could not find worker class: upstream_cases.NoSuchClass",
                    exception: #"AttributeError("module 'upstream_cases' has no attribute 'NoSuchClass'")"#)),
            Unloadable(
                module: "raises_at_import", name: "Worker",
                end: Case(
                    worker: "", exitCode: 7, reason: "failed",
                    words: "importing the worker module has raised an exception: "
                        + "Exception('some exception at import')",
                    exception: "Exception('some exception at import')")),
        ]

        @Test(arguments: unloadable, [false, true])
        func aWorkerThatCannotBeLoadedIsFatal(_ example: Unloadable, _ isLegacy: Bool) throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch(
                example.module, example.name, isLegacy ? ["--legacy-exit-codes"] : [], in: scratch)
            try supervise(launch) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                let pid = try #require(first.pid)
                #expect(first.message == "spawned a new worker at pid: \(pid)")
                #expect(try supervisor.waitForExit() == .code(isLegacy ? 0 : 1))
                expect(try supervisor.waitFor("worker_exited"), example.end, pid: pid)
                try supervisor.waitFor("group_failed")
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 1)
            }
        }

        /// Threads that run on but can be ended do not keep the worker: upstream gives them five seconds.
        @Test(arguments: [
            Case(
                worker: "HangsInThreads", exitCode: 0, reason: "finished", words: "has finished successfully"),
            Case(
                worker: "HangsInThreadsAndAsksToStop", exitCode: 5, reason: "stop_requested",
                words: "has requested to stop"),
        ])
        func threadsThatCanBeEndedAreEnded(_ example: Case) throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch(
                "upstream_cases", example.worker, ["--log-level", "debug"], in: scratch)
            try supervise(launch) { supervisor in
                let ready = try supervisor.waitFor("worker_ready")
                let end = try supervisor.waitFor("worker_exited")
                expect(end, example, pid: ready.pid)
                #expect(end.other["unkillable_threads"] == nil)
                #expect(try seconds(from: ready, to: end) < 5)
                if example.exitCode == 5 { #expect(try supervisor.waitForExit() == .code(0)) }
            }
        }

        @Test func threadsThatCannotBeEndedAreNamed() throws {
            let scratch = try Scratch()
            let launch = try Sergeant.launch("upstream_cases", "HangsInThreadsThatCannotBeEnded", in: scratch)
            try supervise(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "finished")
                #expect(end.exitCode == 0)
                guard case .list(let threads) = end.other["unkillable_threads"] else {
                    Issue.record("no unkillable_threads in \(end)")
                    return
                }
                #expect(threads.count == 3)
                try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
            }
        }

        private func expect(
            _ end: Line, _ example: Case, pid: Int32?, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(end.pid == pid, sourceLocation: sourceLocation)
            #expect(end.exitCode == example.exitCode, sourceLocation: sourceLocation)
            #expect(end.reason == example.reason, sourceLocation: sourceLocation)
            #expect(
                end.message.contains(example.words), "\(end.message) lacks \(example.words)",
                sourceLocation: sourceLocation)
            #expect(end.exception == example.exception, sourceLocation: sourceLocation)
        }
    }
}
