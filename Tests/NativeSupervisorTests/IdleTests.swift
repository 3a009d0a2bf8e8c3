import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Idle {
        /// Seconds to look; `SERGEANTCG_IDLE_SECONDS`, 60 by default.
        static let seconds = getenv("SERGEANTCG_IDLE_SECONDS").flatMap { Int(String(cString: $0)) } ?? 60

        /// A supervisor of 50 idle workers makes not one system call. That strace would show one, is shown by
        /// the death of a worker after.
        @Test func anIdleSupervisorMakesNoSystemCall() throws {
            let launch = Launch(["--concurrent-workers", "50"], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let pid = try #require(supervisor.waitFor(50, "worker_started").last?.pid)
                try supervisor.waitFor("supervisor_ready")
                let quiet = try calls(of: supervisor, seconds: Self.seconds) {}
                #expect(quiet.isEmpty, "\(quiet)")
                let busy = try calls(of: supervisor, seconds: 2) { kill(pid, SIGKILL) }
                #expect(busy.contains { $0.contains("waitid(") }, "\(busy)")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// What strace saw, less the wait that it interrupted by attaching, and the one it left.
        private func calls(
            of supervisor: SupervisorProcess, seconds: Int, then act: () -> Void
        ) throws -> [String] {
            let file = "/tmp/sergeantcg-test-\(getpid())-strace"
            defer { unlink(file) }
            let trace = try Tool.start([
                "timeout", "--signal=INT", "\(seconds)", "strace", "-f", "-o", file, "-p",
                "\(supervisor.pid)",
            ])
            let facts = ProcessFacts(supervisor.pid)
            try supervisor.waitUntil("strace is attached") {
                facts.status("TracerPid") != "0" && (TextFile.read(file) ?? "").contains("epoll_wait(")
            }
            act()
            try trace.waitForEnd()
            var lines = (TextFile.read(file) ?? "").split(separator: "\n").map(String.init)
            // Attaching ends the wait in progress with EINTR; the loop waits again, until strace leaves.
            lines.removeAll {
                $0.contains("epoll_wait(") && $0.hasSuffix("= -1 EINTR (Interrupted system call)")
            }
            lines.removeAll { $0.contains("epoll_wait(") && $0.hasSuffix("<detached ...>") }
            return lines
        }
    }
}
