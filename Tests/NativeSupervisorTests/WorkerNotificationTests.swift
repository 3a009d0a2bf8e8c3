import Glibc
import SupervisorHarness
import Testing

/// Workers that speak sd_notify.
extension NativeSupervisor {
    @Suite(.serialized) struct WorkerNotifications {
        private func launch(_ options: [String] = [], _ steps: String...) throws -> Launch {
            var launch = Launch(
                ["--notify", "--log-level", "debug"] + options,
                command: [try TestWorker.path(), "notify"] + steps)
            // The toolchain links its crash reporter into every program, and that would catch SIGABRT.
            launch.environment["SWIFT_BACKTRACE"] = "enable=no"
            return launch
        }

        private func socket(of pid: Int32?) throws -> String {
            let pid = try #require(pid)
            let text = try #require(TextFile.read("/proc/\(pid)/environ"))
            let entry = text.split(separator: "\0").first { $0.hasPrefix("NOTIFY_SOCKET=") }
            return String(try #require(entry).dropFirst("NOTIFY_SOCKET=".count))
        }

        /// Ready when it says so and not before, from a child of it that has ended by then too; with a status, and the
        /// socket is gone with the worker.
        @Test(arguments: ["say:", "child:"])
        func readyWhenItSaysSo(how: String) throws {
            let launch = try launch(
                [], "say:STATUS=warming up", "barrier", "print:before", "\(how)READY=1;STATUS=at work")
            try withSupervisor(launch) { supervisor in
                try supervisor.waitForOutput { $0 == "barrier" }
                try supervisor.waitForOutput { $0 == "before" }
                let ready = try supervisor.waitFor("supervisor_ready")
                let warming = try supervisor.waitFor("worker_status") { $0.message.contains("warming up") }
                #expect(warming.position < ready.position)
                try supervisor.waitFor("worker_status") { $0.message.contains("at work") }
                let path = try socket(of: supervisor.lines.first { $0.event == "worker_started" }?.pid)
                var status = stat()
                try #require(lstat(path, &status) == 0)
                let directory = path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
                try #require(lstat(directory, &status) == 0)
                #expect(status.st_mode & 0o777 == 0o700)
                #expect(try supervisor.stop() == .code(0))
                #expect(access(directory, F_OK) != 0)
                expectNothingLeft(supervisor)
            }
        }

        /// What was said before a barrier is told, whatever follows at once; without one the last word counts.
        @Test func whatABarrierClosesIsTold() throws {
            let launch = try launch(
                [], "say:STATUS=first", "say:STATUS=second", "descriptors:1:BARRIER=1",
                "say:READY=1;STATUS=third")
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("worker_status") { $0.message.contains("third") }
                #expect(
                    supervisor.lines.contains { $0.event == "worker_status" && $0.message.contains("second") }
                )
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// Python's six lines, as everybody has them.
        @Test func pythonsSixLines() throws {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let lines =
                "import os,socket,signal;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);"
                + "s.sendto(b'READY=1\\nSTATUS=hej',os.environ['NOTIFY_SOCKET']);signal.pause()"
            let launch = Launch(["--notify", "--log-level", "debug"], command: [python, "-c", lines])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try supervisor.waitFor("worker_status") { $0.message.contains("hej") }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// One that never says so is stopped, and its start counts as failed; one that asks for more time gets it.
        @Test func theStartTimeoutIsKept() throws {
            try withSupervisor(try launch(["--start-timeout", "0.3"], "print:up")) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "start_timeout")
                try supervisor.waitFor("worker_backoff")
                #expect(try supervisor.stop() == .code(0))
                #expect(!supervisor.lines.contains { $0.event == "supervisor_ready" })
            }
            let patient = try launch(
                ["--start-timeout", "0.3"], "say:EXTEND_TIMEOUT_USEC=600000", "print:up")
            try withSupervisor(patient) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "start_timeout")
                #expect(end.lifetimeMicroseconds ?? 0 > 590_000)
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Missed: SIGABRT, and a successor. One that says it is broken is not waited for.
        @Test func aMissedWatchdogIsAnAbort() throws {
            try withSupervisor(try launch(["--watchdog", "0.3"], "say:READY=1")) { supervisor in
                let missed = try supervisor.waitFor("worker_watchdog")
                #expect(missed.other["timeout_usec"] == .integer(300_000))
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "watchdog")
                #expect(end.signal == SIGABRT)
                #expect(end.lifetimeMicroseconds ?? 0 > 290_000)
                try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(try supervisor.stop() == .code(0))
            }
            let broken = try launch(["--watchdog", "1h"], "say:READY=1", "say:WATCHDOG=trigger")
            try withSupervisor(broken) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.signal == SIGABRT)
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// What it finds: its own socket, the watchdog's time and its own PID; nothing of the supervisor's.
        @Test func whatItFinds() throws {
            let manager = try NotifySocket()
            var launch = try launch(["--watchdog", "7", "--concurrent-workers", "2"], "say:READY=1")
            launch.environment["NOTIFY_SOCKET"] = manager.path
            launch.environment["WATCHDOG_USEC"] = "9000000"
            try withSupervisor(launch) { supervisor in
                let started = try supervisor.waitFor(2, "worker_started")
                var sockets: Set<String> = []
                for line in started {
                    let pid = try #require(line.pid)
                    let text = try #require(TextFile.read("/proc/\(pid)/environ"))
                    let variables = text.split(separator: "\0").map(String.init)
                    #expect(variables.contains("WATCHDOG_USEC=7000000"))
                    #expect(variables.contains { $0.hasPrefix("WATCHDOG_PID=") && $0.hasSuffix("\(pid)") })
                    sockets.insert(try socket(of: pid))
                }
                #expect(sockets.count == 2)
                #expect(!sockets.contains(manager.path))
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Sixty-four kilobytes, 253 descriptors, garbage, thousands of messages: told once, nothing leaks, and the
        /// one message that is right is heard.
        @Test func hostileOnesChangeNothing() throws {
            let launch = try launch(
                [], "bytes:65536", "descriptors:253:READY=2", "descriptors:5:BARRIER=1", "say:=;=;\u{1}\u{2}",
                "say:EXTEND_TIMEOUT_USEC=99999999999999999999999999", "flood:5000:STATUS=x", "say:READY=1",
                "barrier", "print:done")
            try withSupervisor(launch) { supervisor in
                try supervisor.waitForOutput { $0 == "done" }
                try supervisor.waitFor("supervisor_ready")
                let sockets = ProcessFacts(supervisor.pid).descriptors.values.filter {
                    $0.contains("/dev/null")
                }
                // 0 and perhaps 1: what it was started with.
                #expect(sockets.count <= 2, "\(ProcessFacts(supervisor.pid).descriptors)")
                #expect(supervisor.lines.count { $0.event == "supervisor_trouble" } == 1)
                #expect(supervisor.lines.count { $0.event == "worker_ready" } == 1)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A process in another worker's cgroup says nothing for this one.
        @Test func anotherWorkersWordIsNotHeard() throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-notify.yaml"
            defer { unlink(file) }
            let worker = try TestWorker.path()
            let place = "/tmp/sergeantcg-test-\(getpid())-victim"
            defer { unlink(place) }
            // The attacker waits for the path of the victim's socket on a named pipe.
            try #require(mkfifo(place, 0o600) == 0)
            let attack =
                "read path <\(place); exec \(worker) notify \\\"elsewhere:$path:READY=1\\\" barrier print:done"
            let yaml = """
                log-level: debug
                groups:
                  victim: {command: ["\(worker)", notify, "print:up"], notify: true}
                  attacker: {command: [/bin/sh, -c, "\(attack)"], notify: true}

                """
            let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            try #require(descriptor >= 0)
            close(descriptor)
            try #require(TextFile.write(yaml, to: file) == 0)
            try withSupervisor(Launch(["--config", file])) { supervisor in
                let victim = try supervisor.waitFor("worker_started") { $0.group == "victim" }
                try #require(TextFile.write("\(try socket(of: victim.pid))\n", to: place) == 0)
                try supervisor.waitForOutput { $0 == "done" }
                let told = try supervisor.waitFor("supervisor_trouble")
                #expect(told.group == "victim")
                #expect(told.message.contains("a process outside of it"))
                #expect(!supervisor.lines.contains { $0.event == "worker_ready" && $0.group == "victim" })
                #expect(try supervisor.stop() == .code(0))
            }
        }
    }
}
