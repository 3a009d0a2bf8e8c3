import Glibc
import SupervisorHarness
import Testing

/// From a shell, with nothing prepared: systemd is asked for a scope.
extension Systemd {
    @Suite(.serialized) struct Scope {
        /// What an ordinary user types after a fresh login.
        private func login(_ arguments: [String]) -> Launch {
            var launch = Launch()
            launch.place = .inherited
            launch.addsLogFormat = false
            launch.addsName = false
            let words = [Installed.supervisor, "--log-format", "json"] + arguments
            launch.wrapper = [
                "su", "--login", Ordinary.name, "--command", words.joined(separator: " "), "--",
            ]
            return launch
        }

        @Test func afterALoginOneCommandRunsLimitedWorkers() throws {
            try Installed.check()
            let command = "--memory-max 32M -- \(Installed.worker) allocate 64M"
            try withSupervisor(login([command])) { supervisor in
                let started = try supervisor.waitFor("supervisor_started")
                let scope = try supervisor.directory(of: started)
                #expect(scope.contains("/user@\(Ordinary.uid).service/"), "\(scope)")
                #expect(scope.contains("/sergeantcg-default-") && scope.hasSuffix(".scope"), "\(scope)")
                let first = try supervisor.waitFor("worker_started")
                #expect(try supervisor.directory(of: first) == "\(scope)/TestWorker/1.1")
                #expect(try supervisor.waitFor("worker_exited").reason == "oom_killed")
                try supervisor.waitFor("worker_started") { $0.incarnation == 2 }

                let main = try #require(Cgroupfs.processes(in: "\(scope)/supervisor").first)
                #expect(kill(main, SIGTERM) == 0)
                try supervisor.waitFor("supervisor_stopped")
                try supervisor.waitForExit()
                try pollUntil("\(scope) is gone") { !Cgroupfs.exists(scope) }
            }
        }

        /// It asks for none, and says what one would have.
        @Test func doctorForeseesTheScope() throws {
            try Installed.check()
            let words = [Installed.supervisor, "doctor", "--memory-max", "32M"]
            let (status, output) = try Tool.run(
                ["su", "--login", Ordinary.name, "--command", words.joined(separator: " ")])
            #expect(status == .code(0), "\(output)")
            #expect(output.contains("--memory-max, memory.max: enforced"), "\(output)")
            #expect(output.contains("/user@\(Ordinary.uid).service/"), "\(output)")
            #expect(output.contains(".scope, to be made"), "\(output)")
        }

        @Test func askedNeverItIsRefusedWithWhatToType() throws {
            try Installed.check()
            let words =
                ["timeout", "60", Installed.supervisor, "--delegate", "never"]
                + ["--", Installed.worker, "sleep"]
            let (status, output) = try Tool.run(
                ["su", "--login", Ordinary.name, "--command", words.joined(separator: " ")])
            #expect(status == .code(69))
            #expect(output.contains("systemd-run --user --scope -p Delegate=yes"), "\(output)")
        }

        /// A scope as a desktop's terminal has it: the user's own, not delegated, shared with a shell.
        @Test func aShellInAnUndelegatedScopeIsNotMoved() throws {
            try Installed.check()
            try Ordinary.startManager()
            var launch = Launch([], command: [Installed.worker, "sleep"])
            launch.place = .inherited
            launch.addsName = false
            launch.binary = Installed.supervisor
            let script = "cat /proc/self/cgroup; \"$@\"; cat /proc/self/cgroup"
            launch.wrapper =
                Ordinary.withManager + ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"]
                + ["sh", "-c", script, "sh"]
            try withSupervisor(launch) { supervisor in
                let scope = try supervisor.directory(of: try supervisor.waitFor("supervisor_started"))
                #expect(scope.contains("/sergeantcg-default-"), "\(scope)")
                let main = try #require(Cgroupfs.processes(in: "\(scope)/supervisor").first)
                #expect(kill(main, SIGTERM) == 0)
                #expect(try supervisor.waitForExit() == .code(0))
                let places = supervisor.outputLines.filter { $0.hasPrefix("0::") }
                #expect(
                    places.count == 2 && places[0] == places[1] && places[0].hasSuffix(".scope"), "\(places)")
            }
        }

        /// In a cgroup as a session's: systemd's, and not delegated. The program keeps its process ID.
        private func session(_ options: [String] = [], worker: [String]) -> Launch {
            var launch = Launch(options, command: [Installed.worker] + worker)
            launch.place = .inherited
            launch.wrapper = ["systemd-run", "--scope", "--quiet", "--collect", "--"]
            return launch
        }

        private func unit(of scope: String) throws -> String {
            try #require(scope.split(separator: "/").last.map(String.init))
        }

        private func withScope(
            _ launch: Launch, _ body: (SupervisorProcess, _ scope: String) throws -> Void
        ) throws {
            try Installed.check()
            try withSupervisor(launch) { supervisor in
                let scope = try supervisor.directory(of: try supervisor.waitFor("supervisor_started"))
                #expect(scope.contains("/system.slice/sergeantcg-test-"), "\(scope)")
                try supervisor.waitFor("worker_started")
                try body(supervisor, scope)
                try pollUntil("\(scope) is gone") { !Cgroupfs.exists(scope) }
            }
        }

        @Test func rootHasItsScopeOfTheSystemManager() throws {
            try withScope(session(["--memory-max", "64M"], worker: ["sleep"])) { (supervisor, scope) throws in
                let unit = try unit(of: scope)
                let (_, delegate) = try Tool.run(["systemctl", "show", "--property", "Delegate", unit])
                #expect(delegate == "Delegate=yes\n")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        @Test func atATerminalCtrlCAsksAndASecondOneKills() throws {
            var launch = session(["--stop-timeout", "600"], worker: ["ignore-term"])
            launch.input = .terminal
            try withScope(launch) { (supervisor, _) throws in
                try supervisor.waitForOutput { $0 == "ready" }
                try supervisor.type("\u{3}")
                try supervisor.waitFor("worker_stopping")
                try supervisor.type("\u{3}")
                #expect(try supervisor.waitForExit() == .code(0))
                #expect(supervisor.lines.last { $0.event == "worker_exited" }?.signal == SIGKILL)
            }
        }

        /// systemd signals every process of a scope, so a worker gets its SIGTERM and ours.
        @Test func stoppedBySystemdItEndsCleanly() throws {
            try withScope(session(worker: ["clean-up", "300"])) { (supervisor, scope) throws in
                try supervisor.waitForOutput { $0 == "ready" }
                try Tool.mustRun(["systemctl", "stop", unit(of: scope)])
                #expect(try supervisor.waitForExit() == .code(0))
                #expect(supervisor.outputLines.contains { $0.hasPrefix("cleaned ") })
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "shutdown" && end.signal == nil)
            }
        }
    }
}
