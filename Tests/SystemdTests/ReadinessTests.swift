import Glibc
import SupervisorHarness
import Testing

/// What systemd is told, and what it makes of it.
extension Systemd {
    @Suite(.serialized) struct Readiness {
        /// Active when the workers say that they are ready, here through libsystemd, from a child that ends at once.
        @Test func activeWhenTheWorkerSaysSo() throws {
            let service = Service(
                ["--notify"],
                command: [
                    "/bin/sh", "-c", "'sleep 5; systemd-notify --ready --status=late; exec sleep 1000'",
                ])
            try withUnit(service) { unit, journal in
                let before = ContinuousClock.now
                try unit.start()
                #expect(ContinuousClock.now - before >= .seconds(5))
                try journal.waitForLine("supervisor_ready")
                #expect(try unit.property("StatusText") == "1/1 workers ready")
            }
        }

        /// One that never gets ready fails the start, and `systemctl status` says why.
        @Test func aWorkerThatNeverGetsReadyFailsTheStart() throws {
            let service = Service(
                ["--notify", "--start-timeout", "1", "--max-failures", "1/60"],
                worker: ["notify", "say:STATUS=waiting"], lines: ["Restart=no"])
            try withUnit(service) { unit, _ in
                #expect(try unit.systemctl("start", unit.name).status != .code(0))
                #expect(try unit.property("Result") == "exit-code")
                #expect(try unit.property("ExecMainStatus") == "1")
                let (_, status) = try unit.systemctl("status", "--lines=0", unit.name)
                #expect(status.contains("is given up: 2 failures within 60.00 s"), "\(status)")
            }
        }

        /// A start that takes longer than the unit allows is given time, because the pool gets on meanwhile.
        @Test func aSlowStartThatGetsOnIsGivenTime() throws {
            let service = Service(
                ["--notify", "--concurrent-workers", "2"],
                // One second, and fifteen.
                command: [
                    "/bin/sh", "-c",
                    "'sleep $$((SERGEANT_SLOT * 14 - 13)); systemd-notify --ready; exec sleep 1000'",
                ], lines: ["TimeoutStartSec=10", "Restart=no"])
            try withUnit(service) { unit, _ in
                let before = ContinuousClock.now
                try unit.start()
                #expect(ContinuousClock.now - before >= .seconds(15))
                #expect(try unit.property("StatusText") == "2/2 workers ready")
            }
        }

        /// The error number of a start that cannot be is systemd's to show.
        @Test func aFailedStartTellsItsErrorNumber() throws {
            let service = Service(worker: ["sleep"], lines: ["ProtectControlGroups=yes", "Restart=no"])
            try withUnit(service) { (unit, _) throws in
                #expect(try unit.systemctl("start", unit.name).status != .code(0))
                #expect(try unit.property("ExecMainStatus") == "69")
                #expect(try unit.number("StatusErrno") == UInt64(EROFS))
            }
        }

        /// A supervisor that knows it cannot go on says so: systemd treats that as a missed watchdog.
        @Test func aBrokenSupervisorAsksForItsEnd() throws {
            let service = Service(
                worker: ["sleep"],
                lines: [
                    "WatchdogSec=60", "SystemCallFilter=~timerfd_settime", "SystemCallErrorNumber=EPERM",
                    "Restart=no",
                ])
            try withUnit(service) { unit, journal in
                // It may have been ready before.
                _ = try unit.systemctl("start", unit.name)
                let broken = try journal.waitForLine("supervisor_broken")
                #expect(broken.message.contains("timerfd_settime"), "\(broken.message)")
                try journal.waitForMessage(containing: "Watchdog request")
            }
        }

        /// A supervisor whose loop stands still is killed by systemd's watchdog, and started anew.
        @Test func aStuckSupervisorIsStartedAnew() throws {
            let service = Service(
                worker: ["sleep"],
                lines: ["WatchdogSec=5", "Restart=on-watchdog", "RestartSec=0", "WatchdogSignal=SIGKILL"])
            try withUnit(service) { unit, journal in
                try unit.start()
                let main = Int32(try unit.number("MainPID"))
                let worker = try #require(try journal.waitForLine("worker_started").pid)
                try #require(kill(main, SIGSTOP) == 0)
                try journal.waitForMessage(containing: "Watchdog timeout")
                let ready = try journal.waitFor("the next supervisor's readiness") { entry in
                    entry.line?.event == "supervisor_ready" && entry.fields["_PID"] != "\(main)"
                }
                #expect(ready.fields["_PID"] == "\(try unit.number("MainPID"))")
                #expect(try unit.number("NRestarts") == 1)
                #expect(!ProcessFacts(worker).runs, "a worker outlived its supervisor")
            }
        }

        /// It serves the watchdog for as long as it is asked for: no restart in several intervals of a busy pool.
        @Test func aBusySupervisorIsNotTakenForAStuckOne() throws {
            let service = Service(
                ["--backoff-initial", "0"], command: ["/bin/false"], lines: ["WatchdogSec=2"])
            try withUnit(service) { unit, journal in
                try unit.start()
                // Ten starts a second at the most: six seconds, three intervals.
                var next = 0
                for _ in 0..<60 {
                    let exit = try journal.waitFor("a worker's end", from: next) {
                        $0.line?.event == "worker_exited"
                    }
                    next = exit.position + 1
                }
                #expect(try unit.number("NRestarts") == 0)
                #expect(try unit.property("ActiveState") == "active")
                #expect(try unit.property("StatusText").contains(" failed"))
            }
        }

        /// `systemctl reload` returns when the roll is done, and `systemctl status` tells the truth before and after.
        @Test func reloadReturnsAfterTheRoll() throws {
            let file = "/run/sergeantcg-test-reload.yaml"
            func write(_ more: String) throws {
                try SystemdTests.write(
                    "groups:\n  a: {command: [\(Installed.worker), sleep], concurrent-workers: 3\(more)}\n",
                    file)
            }
            defer { unlink(file) }
            try write("")
            var service = Service(worker: [], lines: ["Type=notify-reload"])
            service.words = ["--config", file]
            try withUnit(service) { unit, journal in
                try unit.start()
                #expect(try unit.property("StatusText") == "3/3 workers ready")
                try write(", env: {A: b}")
                try unit.reload()
                let rolled = try journal.waitFor("the roll's end") { $0.line?.event == "roll_ended" }
                let done = try journal.waitFor("the reload's end") { $0.line?.event == "supervisor_reloaded" }
                #expect(done.line?.level == "info")
                #expect(rolled.position < done.position)
                #expect(try unit.property("ActiveState") == "active")
                #expect(try unit.property("StatusText") == "3/3 workers ready")
                try write(", stop-timeuot: 3}")
                try unit.reload()
                let refused = try journal.waitForLine("supervisor_reloaded") { $0.level == "error" }
                #expect(refused.message.contains("\(file):2:"))
                #expect(try unit.property("StatusText").contains("reload failed: \(file):2:"))
                #expect(try unit.property("ActiveState") == "active")
            }
        }

        /// A start that cannot succeed fails at once, with the reason where `systemctl status` shows it.
        @Test func aFailedStartSaysWhyInTheStatus() throws {
            let service = Service(command: ["/nonexistent/worker"], lines: ["Restart=no"])
            try withUnit(service) { unit, _ in
                #expect(try unit.systemctl("start", unit.name).status != .code(0))
                #expect(try unit.property("ExecMainStatus") == "1")
                let (_, status) = try unit.systemctl("status", "--lines=0", unit.name)
                #expect(status.contains("Status: \""), "\(status)")
                #expect(status.contains("/nonexistent/worker"), "\(status)")
            }
        }
    }
}
