import Glibc
import SupervisorHarness
import Testing

/// What is said to a service manager. What systemd makes of it is tested where there is systemd.
extension NativeSupervisor {
    @Suite(.serialized) struct ServiceNotifications {
        private func launch(_ manager: NotifySocket, _ options: [String], mode: String = "sleep") throws
            -> Launch
        {
            var launch = Launch(
                ["--backoff-initial", "0"] + options, command: try TestWorker.command(mode))
            launch.environment["NOTIFY_SOCKET"] = manager.path
            return launch
        }

        /// Ready when all are, a status that is true at each moment, and the end announced before it comes.
        @Test func theStatusIsTrueAllTheTime() throws {
            let manager = try NotifySocket()
            try withSupervisor(try launch(manager, ["--concurrent-workers", "2"])) { supervisor in
                var next = try manager.wait(for: "READY=1")
                #expect(manager.messages[next - 1].contains("STATUS=2/2 workers ready"))
                #expect(!manager.messages[..<(next - 1)].contains { $0.contains("READY=1") })
                let pid = try #require(supervisor.waitFor(2, "worker_started").last?.pid)
                kill(pid, SIGKILL)
                next = try manager.wait(for: "STATUS=2/2 workers ready, 1 failed", after: next)
                supervisor.signal(SIGTERM)
                next = try manager.wait(for: "STOPPING=1", after: next)
                #expect(manager.messages[next - 1].contains("STATUS=stopping"))
                #expect(manager.messages[next - 1].contains("EXTEND_TIMEOUT_USEC=28000000"))
                #expect(try supervisor.waitForExit() == .code(0))
            }
        }

        /// A sign of life in every half of the interval, the first at once.
        @Test func theWatchdogIsServed() throws {
            let manager = try NotifySocket()
            var launch = try launch(manager, ["--concurrent-workers", "1"])
            launch.environment["WATCHDOG_USEC"] = "200000"
            try withSupervisor(launch) { supervisor in
                var next = 0
                let start = ContinuousClock.now
                for _ in 0..<6 { next = try manager.wait(for: "WATCHDOG=1", after: next) }
                #expect(ContinuousClock.now - start > .milliseconds(450), "more often than asked for")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// A watchdog that is meant for another process is none of ours.
        @Test func anothersWatchdogIsLeftAlone() throws {
            let manager = try NotifySocket()
            var launch = try launch(manager, ["--concurrent-workers", "1"])
            launch.environment["WATCHDOG_USEC"] = "1000"
            launch.environment["WATCHDOG_PID"] = "1"
            try withSupervisor(launch) { supervisor in
                try manager.wait(for: "READY=1")
                #expect(try supervisor.stop() == .code(0))
                manager.takeAll()
                #expect(!manager.messages.contains { $0.contains("WATCHDOG") }, "\(manager.messages)")
            }
        }

        /// A manager that reads nothing is not waited for: 300 deaths, each replaced. What it is told at last is the
        /// state at last.
        @Test func aManagerThatDoesNotReadIsNotWaitedFor() throws {
            let manager = try NotifySocket()
            try withSupervisor(try launch(manager, ["--concurrent-workers", "1"])) { supervisor in
                for death in 1...300 {
                    let started = try supervisor.waitFor(death, "worker_started")
                    kill(try #require(started.last?.pid), SIGKILL)
                }
                try supervisor.waitFor(301, "worker_started")
                let last = try manager.wait(for: "STATUS=1/1 workers ready, 300 failed")
                #expect(manager.messages.filter { $0.contains("READY=1") }.count == 1)
                #expect(last < 300, "nothing was left out, so nothing had to wait")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Why it could not start is said where `systemctl status` shows it.
        @Test func aFailedStartSaysWhy() throws {
            let manager = try NotifySocket()
            var launch = Launch([], command: ["/nonexistent/worker"])
            launch.environment["NOTIFY_SOCKET"] = manager.path
            try withSupervisor(launch) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
                manager.takeAll()
                #expect(manager.messages.last?.contains("STATUS=") == true)
                #expect(manager.messages.last?.contains("/nonexistent/worker") == true, "\(manager.messages)")
                #expect(!manager.messages.contains { $0.contains("READY=1") })
            }
        }
    }
}
