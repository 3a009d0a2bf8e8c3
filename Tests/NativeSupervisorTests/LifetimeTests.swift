import Glibc
import SupervisorHarness
import Testing

/// How long a worker lives, and what follows its end.
extension NativeSupervisor {
    @Suite(.serialized) struct Lifetimes {
        /// Each ends between four fifths of the longest life and all of it, and not all of them at once.
        @Test func livesEndOneAfterTheOther() throws {
            let launch = Launch(
                ["--concurrent-workers", "20", "--max-lifetime", "2"],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let ends = try supervisor.waitFor(20, "worker_exited") { $0.incarnation == 1 }
                #expect(ends.allSatisfy { $0.reason == "lifetime" })
                let stops = supervisor.lines.filter { $0.event == "worker_stopping" && $0.incarnation == 1 }
                let starts = supervisor.lines.filter { $0.event == "worker_started" && $0.incarnation == 1 }
                var ages: [Int64] = []
                for start in starts {
                    let stop = try #require(stops.first { $0.slot == start.slot })
                    ages.append(try #require(stop.microseconds) - #require(start.microseconds))
                }
                #expect(ages.count == 20)
                // The clock of the log is not the timer's; a loaded machine is late.
                #expect(ages.allSatisfy { (1_590_000..<3_000_000).contains($0) }, "\(ages)")
                let sorted = ages.sorted()
                // All of them past nine tenths would be chance once in a thousand million times.
                #expect(sorted[2] < 1_900_000, "\(sorted)")
                #expect(!supervisor.lines.contains { $0.event == "worker_backoff" })
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        @Test(arguments: [("0", ["never"], 0), ("0", ["on-failure"], 0), ("3", ["never"], 1)])
        func whereNothingFollowsAllEnds(_ code: String, _ restart: [String], _ expected: Int32) throws {
            let launch = Launch(
                ["--concurrent-workers", "3", "--restart"] + restart,
                command: try TestWorker.command("exit", code, "100"))
            try withSupervisor(launch) { supervisor in
                #expect(try supervisor.waitForExit() == .code(expected))
                #expect(supervisor.lines.count { $0.event == "worker_started" } == 3)
                let stopping = try supervisor.waitFor("supervisor_stopping")
                #expect(stopping.message.contains("none is to follow"))
                expectNothingLeft(supervisor)
            }
        }

        @Test func onFailureThereIsAnotherUntilASuccess() throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-success"
            unlink(file)
            defer { unlink(file) }
            let launch = Launch(
                ["--restart", "on-failure", "--backoff-initial", "50ms"],
                command: ["/bin/sh", "-c", "test -e \"$0\" || exit 7", file])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("worker_exited") { $0.incarnation == 2 && $0.exitCode == 7 }
                let made = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                try #require(made >= 0)
                close(made)
                #expect(try supervisor.waitForExit() == .code(0))
                #expect(supervisor.lines.last { $0.event == "worker_exited" }?.reason == "finished")
            }
        }

        /// One that is recycled has not done its work.
        @Test func aRecycleIsFollowedByAnotherEvenWhereOnlyFailuresAre() throws {
            let launch = Launch(
                ["--restart", "on-failure", "--max-lifetime", "300ms"],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("worker_started") { $0.incarnation == 3 }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// A worker whose work is done is started again where somebody asks for it.
        @Test func whoRestsIsStartedByARestart() throws {
            let script = "test $SERGEANT_SLOT = 1 && test $SERGEANT_INCARNATION = 1 || exec sleep 1000"
            let launch = Launch(
                ["--concurrent-workers", "2", "--restart", "never"], command: ["/bin/sh", "-c", script])
            try withSupervisor(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.slot == 1)
                let client = try ControlCaller(ControlCaller.path(supervisor.name))
                client.call("GetStatus")
                let answer = try client.receive()
                let group = try #require(answer?["parameters"]?["groups"]?[0])
                #expect(group["workers"]?[0]?["state"] == .text("ended"), "\(group)")
                client.call("Restart", parameters: "{\"target\":\"\(try #require(end.worker))\"}")
                let again = try supervisor.waitFor("worker_started", from: end.position)
                #expect(again.slot == 1)
                #expect(again.incarnation == 2)
                #expect(try supervisor.stop() == .code(0))
            }
        }
    }

    /// A worker that works on until its successor is ready.
    @Suite(.serialized) struct Surges {
        /// Without `--surge` it stops first.
        @Test(arguments: [true, false])
        func theSuccessorIsReadyFirst(_ surges: Bool) throws {
            let launch = Launch(
                ["--max-lifetime", "500ms", "--notify"] + (surges ? ["--surge"] : []),
                command: try TestWorker.command("notify", "say:READY=1"))
            try withSupervisor(launch) { supervisor in
                let stopping = try supervisor.waitFor("worker_stopping")
                let started = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                let ready = try supervisor.waitFor("supervisor_ready")
                #expect(stopping.incarnation == 1)
                #expect(stopping.reason == "lifetime")
                #expect(started.position > ready.position)
                #expect((stopping.position > started.position) == surges)
                #expect(supervisor.lines.contains { $0.event == "worker_yielding" } == surges)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A successor that cannot get ready costs nothing: the old worker works on.
        @Test func aSuccessorThatFailsIsTriedAgainWhileTheOldOneWorks() throws {
            let worker = try TestWorker.path()
            let script = "test $SERGEANT_INCARNATION = 1 && exec '\(worker)' notify say:READY=1; exit 1"
            let launch = Launch(
                [
                    "--max-lifetime", "300ms", "--notify", "--surge", "--backoff-initial", "50ms",
                    "--backoff-max", "100ms",
                ], command: ["/bin/sh", "-c", script])
            try withSupervisor(launch) { supervisor in
                let first = try supervisor.waitFor("worker_started")
                try supervisor.waitFor("worker_exited") { $0.incarnation == 5 }
                #expect(!supervisor.lines.contains { $0.event == "worker_stopping" })
                #expect(Cgroupfs.exists(try supervisor.directory(of: first)))
                let client = try ControlCaller(ControlCaller.path(supervisor.name))
                client.call("GetStatus")
                let group = try #require(try client.receive()?["parameters"]?["groups"]?[0])
                #expect(group["ready"]?.integer == 1, "\(group)")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
