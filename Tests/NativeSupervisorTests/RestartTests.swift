import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Restarts {
        /// The waits after failures double, within a jitter of a fifth, up to the longest; and they are kept.
        @Test func failuresAreBackedOff() throws {
            let launch = Launch(
                ["--backoff-initial", "0.1", "--backoff-max", "0.8"],
                command: try TestWorker.command("exit", "1"))
            try withSupervisor(launch) { supervisor in
                let count = 6
                try supervisor.waitFor("worker_started") { $0.incarnation == count + 1 }
                let waits = supervisor.lines.filter { $0.event == "worker_backoff" }
                let bases: [Double] = [0.1, 0.2, 0.4, 0.8, 0.8, 0.8]
                for (index, base) in bases.enumerated() {
                    let delay = try #require(waits[index].delayMicroseconds)
                    #expect(waits[index].failures == index + 1)
                    let longest = min(base * 1.2, 0.8)
                    #expect(
                        (base * 0.8 * 1e6 - 1...longest * 1e6 + 1).contains(Double(delay)),
                        "\(index): \(delay)")
                    let ended = try supervisor.waitFor("worker_exited") { $0.incarnation == index + 1 }
                    let started = try supervisor.waitFor("worker_started") { $0.incarnation == index + 2 }
                    #expect(ended.reason == "failed")
                    let waited = try #require(started.microseconds) - #require(ended.microseconds)
                    // The clock of the log is not the timer's: a millisecond for both.
                    #expect(waited >= delay - 1000, "\(index): waited \(waited) of \(delay)")
                    #expect(waited < delay + 2_000_000)
                }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// The jitter is one: of 50 first waits, hardly two are the same.
        @Test func theBackOffIsJittered() throws {
            let launch = Launch(
                ["--concurrent-workers", "50", "--backoff-initial", "10"],
                command: try TestWorker.command("exit", "1"))
            try withSupervisor(launch) { supervisor in
                let waits = try supervisor.waitFor(50, "worker_backoff").compactMap(\.delayMicroseconds)
                #expect(Set(waits).count > 40)
                #expect(waits.allSatisfy { (8_000_000...12_000_000).contains($0) })
                // A stop does not wait for the waits.
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A worker that failed after a healthy run of ten seconds is replaced at once.
        @Test func aHealthyRunIsReplacedAtOnce() throws {
            let launch = Launch(
                ["--backoff-initial", "5"], command: try TestWorker.command("exit", "1", "10500"))
            try withSupervisor(launch) { supervisor in
                let ended = try supervisor.waitFor("worker_exited")
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                let waited = try #require(next.microseconds) - #require(ended.microseconds)
                #expect(waited < 1_000_000)
                #expect(!supervisor.lines.contains { $0.event == "worker_backoff" })
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Workers that finish at once are started ten times a second, said once a slot.
        @Test func quickFinishesArePaced() throws {
            let launch = Launch(["--concurrent-workers", "2"], command: try TestWorker.command("exit", "0"))
            try withSupervisor(launch) { supervisor in
                for slot in 1...2 {
                    let first = try supervisor.waitFor("worker_started") {
                        $0.slot == slot && $0.incarnation == 2
                    }
                    let last = try supervisor.waitFor("worker_started") {
                        $0.slot == slot && $0.incarnation == 22
                    }
                    let took = try #require(last.microseconds) - #require(first.microseconds)
                    #expect(took >= 1_950_000, "20 starts took \(took) microseconds")
                    let told = supervisor.lines.filter { $0.event == "worker_paced" && $0.slot == slot }
                    #expect(told.count == 1)
                }
                let ends = supervisor.lines.filter { $0.event == "worker_exited" }
                #expect(ends.allSatisfy { $0.reason == "finished" })
                #expect(!supervisor.lines.contains { $0.event == "worker_backoff" })
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// More failures than allowed: the group has failed, all is stopped, exit status 1; 0 with upstream's
        /// codes.
        @Test(arguments: [false, true]) func tooManyFailuresEndTheGroup(legacy: Bool) throws {
            let options = [
                "--max-failures", "3/60", "--backoff-initial", "0.01", "--concurrent-workers", "3",
            ]
            let failing = #"[ "$SERGEANT_SLOT" = 1 ] && exit 9; exec sleep 1000"#
            let launch = Launch(
                (legacy ? ["--legacy-exit-codes"] : []) + options, command: ["/bin/sh", "-c", failing])
            try withSupervisor(launch) { supervisor in
                #expect(try supervisor.waitForExit() == .code(legacy ? 0 : 1))
                let failed = try supervisor.waitFor("group_failed")
                #expect(failed.failures == 4)
                #expect(failed.windowMicroseconds == 60_000_000)
                #expect(failed.group == "sh")
                #expect(failed.level == "critical")
                #expect(supervisor.lines.count { $0.reason == "failed" } == 4)
                #expect(
                    supervisor.lines.count { $0.reason == "shutdown" && $0.event == "worker_exited" } == 2)
                expectNothingLeft(supervisor)
            }
        }
    }
}
