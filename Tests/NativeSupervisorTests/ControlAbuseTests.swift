import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// Whoever may reach the control socket and means no good.
    @Suite struct ControlAbuse {
        private static let workers = 200

        /// How long each of so many replacements took, in microseconds, as the log has it: each of another slot, so that
        /// none is paced.
        private static func replacements(_ supervisor: SupervisorProcess, of count: Int) throws -> [Int64] {
            var took: [Int64] = []
            for slot in 1...count {
                let last = try #require(
                    supervisor.lines.last { $0.event == "worker_started" && $0.slot == slot })
                let pid = try #require(last.pid)
                kill(pid, SIGKILL)
                let end = try supervisor.waitFor("worker_exited", from: last.position) { $0.pid == pid }
                let next = try supervisor.waitFor("worker_started", from: end.position) { $0.slot == slot }
                took.append(Int64(try #require(next.microseconds)) - Int64(try #require(end.microseconds)))
            }
            return took
        }

        private static func median(_ values: [Int64]) -> Int64 { values.sorted()[values.count / 2] }

        /// A thousand connections, readers that do not read, garbage, one GB of `{`: workers are replaced all the while,
        /// memory and descriptors are bounded, the offender is cut off, and afterwards all is as before.
        @Test func supervisionGoesOn() throws {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let control = "/tmp/sergeantcg-test-\(getpid())-abuse"
            let result = "\(control).json"
            defer { unlink(result) }
            let launch = Launch(
                [
                    "--control", control, "--concurrent-workers", "\(Self.workers)", "--backoff-initial", "0",
                    "--backoff-max", "0",
                ],
                command: ["/bin/sleep", "600"])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let facts = ProcessFacts(supervisor.pid)
                let idle = try Self.replacements(supervisor, of: Self.workers)
                try supervisor.waitUntil("all that is gone is removed") {
                    Cgroupfs.count(below: supervisor.root) == Self.workers + 2
                }
                let before = (facts.descriptors.count, try #require(facts.privateDirtyKilobytes))
                let abuse = try Tool.start([
                    "/bin/sh", "-c",
                    "ulimit -n 4096; exec timeout 120 \(python) Tests/Control/abuse \(control) >\(result)",
                ])
                try supervisor.waitUntil("the abuse has begun") {
                    TextFile.read(result)?.hasPrefix("begun") == true
                }
                let under = try Self.replacements(supervisor, of: Self.workers)
                let during = (facts.descriptors.count, try #require(facts.privateDirtyKilobytes))
                #expect(try abuse.waitForEnd() == .code(0))
                let text = try #require(TextFile.read(result))
                let seen = try #require(JSONValue.parse(text.dropFirst("begun\n".count).utf8), "\(text)")
                print(
                    "replaced in \(Self.median(idle)) microseconds when idle, in \(Self.median(under)) under abuse "
                        + "(medians of 200); private dirty \(before.1) kB, \(during.1) kB under abuse; \(text)"
                )
                // 64 connections, and what a worker that is just started has.
                #expect(during.0 <= before.0 + 64 + 8, "\(before) \(during)")
                #expect(Sanitizer.isThere || during.1 <= before.1 + 16 << 10, "\(before) \(during)")
                #expect(seen["cut off"]?.integer ?? 0 > 0)
                // A message has at most 64 KB; what was read of it, and what the kernel holds for the socket.
                #expect(seen["most braces"]?.integer ?? .max <= 1 << 20, "\(text)")
                #expect(seen["braces"]?.integer ?? 0 >= 1 << 30)
                #expect(try Tool.sergeantcg("status", "--control", control).status == .code(0))
                do {
                    try supervisor.waitUntil("its descriptors are given back") {
                        facts.descriptors.count <= before.0
                    }
                } catch { throw HarnessFailure("\(error) \(before) \(facts.descriptors)") }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
