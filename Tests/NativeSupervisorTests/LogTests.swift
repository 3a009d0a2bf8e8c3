import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Log {
        /// A log that nobody reads does not hold up supervision: workers are killed and replaced all the same.
        /// When it is read again, it says exactly how many lines are missing.
        @Test func aLogThatNobodyReadsHoldsUpNothing() throws {
            let workers = 50
            var launch = Launch(
                ["--concurrent-workers", "\(workers)", "--backoff-initial", "0", "--backoff-max", "0"],
                command: try TestWorker.command("sleep"))
            launch.logPipeSize = 4096
            try withSupervisor(launch) { supervisor in
                var alive = Set(try supervisor.waitFor(workers, "worker_started").compactMap(\.pid))
                // Each slot is told to be paced once, when a worker of it ends within 100 ms. That is done here;
                // from here on each death makes two lines.
                var rounds = 1
                var position = 0
                while supervisor.lines.count(where: { $0.event == "worker_paced" }) < workers {
                    position = supervisor.lines.count
                    for pid in alive { kill(pid, SIGKILL) }
                    rounds += 1
                    alive = Set(
                        try supervisor.waitFor(workers, "worker_started", from: position).compactMap(\.pid))
                    supervisor.readAvailable()
                }
                supervisor.readLog(false)
                let group = "\(supervisor.root)/TestWorker"
                for _ in 0..<20 {
                    rounds += 1
                    for pid in alive { kill(pid, SIGKILL) }
                    var next: Set<Int32> = []
                    try supervisor.waitUntil("all \(workers) are replaced though nobody reads the log") {
                        next = Set(Cgroupfs.allProcesses(in: group))
                        return next.count == workers && next.isDisjoint(with: alive)
                    }
                    alive = next
                }
                supervisor.readLog(true)
                try supervisor.waitFor("log_dropped")
                let end = supervisor.lines.count
                // A last death of each worker tells how far the slots have come.
                for pid in alive { kill(pid, SIGKILL) }
                let last = rounds + 1
                try supervisor.waitFor(workers, "worker_started", from: end) { $0.incarnation == last }
                let seen = supervisor.lines.count {
                    $0.event == "worker_started" || $0.event == "worker_exited"
                }
                let expected = workers * (last + last - 1)
                let dropped = supervisor.lines.filter { $0.event == "log_dropped" }.reduce(0) { sum, line in
                    if case .integer(let lines)? = line.other["lines"] { sum + Int(lines) } else { sum }
                }
                #expect(dropped > 0)
                #expect(seen + dropped == expected)
                #expect(supervisor.strayLines.isEmpty, "\(supervisor.strayLines)")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// Whoever read the log may go: supervision goes on.
        @Test func aLogWhoseReaderWentHoldsUpNothing() throws {
            let launch = Launch(
                ["--concurrent-workers", "2", "--backoff-initial", "0"],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let first = Set(try supervisor.waitFor(2, "worker_started").compactMap(\.pid))
                supervisor.closeLog()
                for pid in first { kill(pid, SIGKILL) }
                try supervisor.waitUntil("both are replaced") {
                    let next = Set(Cgroupfs.allProcesses(in: "\(supervisor.root)/TestWorker"))
                    return next.count == 2 && next.isDisjoint(with: first)
                }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The text log has upstream's form.
        @Test func theTextLogIsUpstreams() throws {
            var launch = Launch(["--log-format", "text"], command: try TestWorker.command("sleep"))
            launch.addsLogFormat = false
            try withSupervisor(launch) { supervisor in
                try supervisor.waitUntil("the worker is told") {
                    supervisor.strayLines.contains { $0.contains("spawned a new worker at pid: ") }
                }
                #expect(try supervisor.stop() == .code(0))
                // 2025-01-31 12:30:59 Supervisor   123 INFO     message
                let pattern =
                    /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Supervisor   \d+ (DEBUG   |INFO    |WARNING |ERROR   |CRITICAL) .+/
                for line in supervisor.strayLines { #expect(line.wholeMatch(of: pattern) != nil, "\(line)") }
                #expect(
                    supervisor.strayLines.contains {
                        $0.hasSuffix("no more workers to supervise, exiting...")
                    })
            }
        }
    }
}
