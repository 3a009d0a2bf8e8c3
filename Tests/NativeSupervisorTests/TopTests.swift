import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// `sergeantcg top` in a terminal: tmux, 80 columns and 24 lines.
    @Suite struct Top {
        private struct Session {
            let socket: String

            init(_ words: String...) throws {
                socket = "/tmp/sergeantcg-test-\(getpid())-tmux"
                try Tool.mustRun(
                    [
                        "env", "LANG=C.UTF-8", "tmux", "-f", "/dev/null", "-S", socket, "-u", "new-session",
                        "-d", "-x", "80", "-y", "24",
                    ]
                        + words)
            }

            private func tmux(_ words: String...) throws -> String {
                let (status, output) = try Tool.run(["tmux", "-S", socket] + words)
                guard status == .code(0) else { throw HarnessFailure("tmux ended with \(status): \(output)") }
                return output
            }

            func type(_ keys: String...) throws {
                for key in keys { _ = try tmux("send-keys", key) }
            }

            /// Waits until the screen shows it. Nobody tells of what a terminal shows, so it is looked at again and again.
            func wait(_ supervisor: SupervisorProcess, until what: String, _ condition: (String) -> Bool)
                throws
            {
                var screen = ""
                do {
                    try supervisor.waitUntil(what) {
                        screen = (try? tmux("capture-pane", "-p")) ?? "it has ended"
                        return condition(screen)
                    }
                } catch { throw HarnessFailure("\(error)\n\(screen)") }
            }

            func end() {
                _ = try? Tool.run(["tmux", "-S", socket, "kill-server"])
                unlink(socket)
            }
        }

        @Test func aWorkerIsChosenAndRecycled() throws {
            let launch = Launch(["--concurrent-workers", "3"], command: ["/bin/sleep", "600"])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let program = try SupervisorProcess.program()
                let session = try Session(
                    "/bin/sh", "-c",
                    "\(program) top --name \(supervisor.name) --interval 200ms; echo ended with $?; exec sleep 600"
                )
                defer { session.end() }
                try session.wait(supervisor, until: "three workers are shown") {
                    $0.contains("\(supervisor.name): ready  3 of 3 workers ready") && $0.contains("sleep-3")
                }
                try session.type("Down", "r")
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(next.worker == "sleep-2")
                let pid = try #require(next.pid)
                try session.wait(supervisor, until: "it is said, with the new one") {
                    $0.contains("sleep-2 was recycled")
                        && $0.contains("sleep-2, incarnation 2  PID \(pid)  replaced: restart 1")
                }
                try session.type("s")
                kill(try #require(supervisor.lines.first { $0.slot == 3 }?.pid), SIGKILL)
                try session.wait(supervisor, until: "another reason is shown of another worker") { screen in
                    screen.split(separator: "\n").contains { $0.hasPrefix("sleep-3") && $0.hasSuffix(" 1") }
                }
                try session.type("q")
                try session.wait(supervisor, until: "the terminal is as before") {
                    $0.hasPrefix("ended with 0") && !$0.contains("WORKER")
                }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// It goes on looking when the supervisor has gone, says so, and shows the next.
        @Test func aSupervisorThatGoesIsSaidSo() throws {
            let control = "/tmp/sergeantcg-test-\(getpid())-top"
            let launch = Launch(["--control", control], command: ["/bin/sleep", "600"])
            var session: Session?
            defer { session?.end() }
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                session = try Session(try SupervisorProcess.program(), "top", "--control", control)
                try session?.wait(supervisor, until: "it is shown") {
                    $0.contains("\(supervisor.name): ready")
                }
                #expect(try supervisor.stop() == .code(0))
                try session?.wait(supervisor, until: "it is said that it has gone") {
                    $0.contains("no supervisor at \(control) is running here")
                }
            }
            try withSupervisor(launch) { supervisor in
                try session?.wait(supervisor, until: "the next is shown") {
                    $0.contains("\(supervisor.name): ready") && !$0.contains("no supervisor")
                }
            }
        }

        @Test func withoutATerminalItSaysWhatElseThereIs() throws {
            let launch = Launch(["--concurrent-workers", "1"], command: ["/bin/sleep", "600"])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let (status, output) = try Tool.sergeantcg("top", "--name", supervisor.name)
                #expect(status == .code(64))
                #expect(
                    output.contains("top is for a terminal") && output.contains("status --json"), "\(output)")
            }
            #expect(try Tool.sergeantcg("top", "--interval", "1ms").status == .code(64))
        }
    }
}
