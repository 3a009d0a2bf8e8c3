import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Log {
        /// A log that nobody reads does not hold up supervision: workers are killed and replaced all the same.
        /// When it is read again, it says exactly how many lines are missing.
        @Test func aLogThatNobodyReadsHoldsUpNothing() throws {
            let workers = 200
            // Eight megabytes may wait; a long name fills them sooner.
            let name = String(repeating: "w", count: 64)
            let program = "/tmp/\(name)"
            unlink(program)
            #expect(symlink(try TestWorker.path(), program) == 0)
            defer { unlink(program) }
            var launch = Launch(
                // Longer than the pace, so that a death makes three lines: an end, a wait and a start.
                ["--concurrent-workers", "\(workers)", "--backoff-initial", "0.2", "--backoff-max", "0.2"],
                command: [program, "sleep"])
            launch.logPipeSize = 4096
            try withSupervisor(launch) { supervisor in
                let group = "\(supervisor.root)/\(name)"
                var alive = Set(try supervisor.waitFor(workers, "worker_started").compactMap(\.pid))
                supervisor.readLog(false)
                for _ in 0..<40 {
                    for pid in alive { kill(pid, SIGKILL) }
                    var next: Set<Int32> = []
                    try supervisor.waitUntil("all \(workers) are replaced though nobody reads the log") {
                        next = Set(Cgroupfs.allProcesses(in: group))
                        return next.count == workers && next.isDisjoint(with: alive)
                    }
                    alive = next
                }
                supervisor.readLog(true)
                let told = try supervisor.waitFor("log_dropped")
                // Each of the 40 rounds told an end, a wait and a start of every worker, after its first start.
                let counted: Set<String> = ["worker_started", "worker_exited", "worker_backoff"]
                // On a slow machine the last of them have not come to their program yet.
                try supervisor.waitUntil("every line is told, or counted as missing") {
                    let seen = supervisor.lines.count { counted.contains($0.event) }
                    let dropped = supervisor.lines.filter { $0.event == "log_dropped" }.reduce(0) {
                        sum, line in
                        if case .integer(let lines)? = line.other["lines"] { sum + Int(lines) } else { sum }
                    }
                    return dropped > 0 && seen + dropped == workers * (3 * 40 + 1)
                }
                // And it goes on as before.
                kill(try #require(alive.first), SIGKILL)
                try supervisor.waitFor("worker_exited", from: told.position) { $0.pid == alive.first }
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
