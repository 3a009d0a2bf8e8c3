import Glibc
import SupervisorHarness
import Testing

/// What the supervisor after one that was killed does with its workers.
extension NativeSupervisor {
    @Suite(.serialized) struct Leftovers {
        /// Each with a daemon beside it that has a session of its own.
        private func pool(_ workers: Int) -> Launch {
            Launch(
                ["--concurrent-workers", "\(workers)", "--on-leftover", "adopt"],
                command: ["/bin/sh", "-c", "setsid sleep 1000 & exec sleep 1000"])
        }

        /// Kills a supervisor once its workers are ready, and starts another in its place.
        private func succeed(
            _ launch: Launch, by next: Launch, meanwhile: ([Line]) throws -> Void = { _ in },
            _ body: (SupervisorProcess, [Line]) throws -> Void
        ) throws {
            try withSupervisor(launch) { first in
                try first.waitFor("supervisor_ready")
                let started = first.lines.filter { $0.event == "worker_started" }
                first.signal(SIGKILL)
                _ = try first.waitForExit()
                try meanwhile(started)
                var next = next
                next.place = .existing(first.root)
                try withSupervisor(next) { second in
                    try body(second, started)
                    #expect(try second.stop() == .code(0))
                    expectNothingLeft(second)
                }
            }
        }

        /// They go on as who they were, in the slots they had, and no slot is filled twice.
        @Test func theNextSupervisorGoesOnWithThem() throws {
            let launch = pool(3)
            try succeed(launch, by: launch) { supervisor, started in
                let adopted = try supervisor.waitFor(3, "worker_adopted")
                try supervisor.waitFor("supervisor_ready")
                #expect(Set(adopted.compactMap(\.pid)) == Set(started.compactMap(\.pid)))
                #expect(adopted.allSatisfy { $0.incarnation == 1 })
                #expect(!supervisor.lines.contains { $0.event == "worker_started" })
                // The end of one is noticed, and it is replaced.
                let victim = adopted[1]
                try #require(kill(try #require(victim.pid), SIGKILL) == 0)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.slot == victim.slot)
                let next = try supervisor.waitFor("worker_started")
                #expect(next.slot == victim.slot)
                #expect(next.incarnation == 2)
            }
        }

        /// Without being asked the next supervisor kills them.
        @Test func unaskedTheyAreKilled() throws {
            var next = pool(2)
            next.arguments.removeAll { $0 == "--on-leftover" || $0 == "adopt" }
            try succeed(pool(2), by: next) { supervisor, started in
                try supervisor.waitFor("supervisor_ready")
                #expect(!supervisor.lines.contains { $0.event == "worker_adopted" })
                // A zombie of theirs is its own parent's, and in no cgroup of ours.
                let running = Cgroupfs.allProcesses(in: supervisor.root)
                for worker in started { #expect(!running.contains(try #require(worker.pid))) }
            }
        }

        /// Those that have no slot any more, and what a worker that ended meanwhile left behind, are killed.
        @Test func onlyWorkersThatHaveASlotAreAdopted() throws {
            try succeed(
                pool(3), by: pool(2),
                meanwhile: { started in
                    let first = try #require(started.first { $0.slot == 1 })
                    try #require(kill(try #require(first.pid), SIGKILL) == 0)
                    #expect(ProcessFacts(try #require(first.pid)).waitForEnd())
                },
                { supervisor, started in
                    let adopted = try supervisor.waitFor("worker_adopted")
                    #expect(adopted.slot == 2)
                    let fresh = try supervisor.waitFor("worker_started")
                    #expect(fresh.slot == 1)
                    try supervisor.waitFor("supervisor_ready")
                    #expect(supervisor.lines.count { $0.event == "worker_adopted" } == 1)
                    let third = try #require(started.first { $0.slot == 3 }?.pid)
                    let running = Cgroupfs.allProcesses(in: supervisor.root)
                    #expect(!running.contains(third))
                    #expect(running.contains(try #require(adopted.pid)))
                })
        }

        /// A notify socket is where the worker knows it to be, and its watchdog is kept.
        @Test func whoSpeaksIsHeardAgain() throws {
            let script =
                "import os,signal,socket\n"
                + "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
                + "say=lambda text:s.sendto(text,os.environ['NOTIFY_SOCKET'])\n"
                + "signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR1])\n"
                + "say(b'READY=1')\n"
                + "signal.sigwait([signal.SIGUSR1])\n"
                + "say(b'STATUS=heard again')\n"
                + "signal.pause()\n"
            let launch = Launch(
                ["--on-leftover", "adopt", "--notify"], command: ["python3", "-c", script])
            try succeed(launch, by: launch) { supervisor, _ in
                let adopted = try supervisor.waitFor("worker_adopted")
                try supervisor.waitFor("supervisor_ready")
                try #require(kill(try #require(adopted.pid), SIGUSR1) == 0)
                #expect(try supervisor.waitFor("worker_status").message.contains("heard again"))
            }
        }
    }
}
