import Glibc
import SupervisorHarness
import Testing

/// What clients and workers notice of an upgrade or a restart of the service: nothing.
extension Systemd {
    @Suite(.serialized) struct Continuity {
        /// A copy of the program that lies where the service starts it from.
        private static let program = "\(Installed.directory)/sergeantcg-replaced"

        /// As a package manager puts a new version in place.
        private static func putInPlace() throws {
            try Tool.mustRun(["cp", Installed.supervisor, "\(program).new"])
            try Tool.mustRun(["mv", "-f", "\(program).new", program])
        }

        private static func workers(_ directory: String) -> [Int32] {
            (Cgroupfs.children(of: "\(directory)/TestWorker") ?? []).flatMap {
                Cgroupfs.processes(in: "\(directory)/TestWorker/\($0)")
            }
        }

        /// A new program, `systemctl reload`: 20 times, under a client that connects without pause.
        @Test func twentyUpgradesOfAServiceLoseNothing() throws {
            try Installed.check()
            try Self.putInPlace()
            defer { unlink(Self.program) }
            let port = try FreePort.find()
            var service = Service(
                [
                    "--concurrent-workers", "2", "--memory-max", "64M", "--backoff-initial", "0.05",
                    "--listen", "tcp://127.0.0.1:\(port)",
                ], worker: ["serve"],
                lines: ["Type=notify-reload", "WatchdogSec=20", "FileDescriptorStoreMax=4"])
            service.supervisor = Self.program
            try withUnit(service) { unit, journal in
                try unit.start()
                let directory = try unit.directory()
                let first = try #require(try journal.waitForLine("worker_started").pid)
                kill(first, SIGKILL)
                try journal.waitForLine("worker_started") { $0.incarnation == 2 }
                let main = try unit.number("MainPID")
                let before = Self.workers(directory)
                #expect(before.count == 2)
                let client = try Connector(["tcp", "127.0.0.1", "\(port)"])
                for _ in 0..<20 {
                    try Self.putInPlace()
                    try unit.reload()
                }
                let tally = try client.finish()
                #expect(tally.refused == 0 && tally.unanswered == 0 && tally.made > 100, "\(tally)")
                #expect(try unit.number("MainPID") == main)
                #expect(try unit.number("NRestarts") == 0)
                #expect(Self.workers(directory) == before)
                let upgrades = try journal.lines(
                    "supervisor_upgraded", until: "supervisor_reloaded", times: 20)
                #expect(upgrades == 20)
                // Counted by the first image, told by the last.
                #expect(try unit.property("StatusText") == "2/2 workers ready, 1 failed")
                #expect(try unit.property("ActiveState") == "active")
                try expectStopLeavesNothing(unit)
            }
        }

        /// The image after an upgrade watches the limits that the one before set.
        @Test func limitsAreWatchedAfterAnUpgrade() throws {
            let gate = "/run/sergeantcg-test-gate"
            try Tool.mustRun(["mkfifo", gate])
            defer { unlink(gate) }
            let service = Service(
                ["--max-worker-memory-usage", "32M", "--memory-max", "128M"],
                command: ["/bin/sh", "-c", "'read x <\(gate); exec \(Installed.worker) allocate 48M'"])
            try withUnit(service) { unit, journal in
                try unit.start()
                let main = Int32(try unit.number("MainPID"))
                kill(main, SIGUSR2)
                try journal.waitForLine("supervisor_upgraded")
                try #require(TextFile.write("\n", to: gate) == 0)
                let death = try journal.waitForLine("worker_exited")
                // It took memory after the upgrade, so only the new image can have seen it.
                #expect(death.reason == "memory_limit" && death.incarnation == 1)
                try journal.waitForLine("worker_started") { $0.incarnation == 2 }
                #expect(Int32(try unit.number("MainPID")) == main)
                try expectStopLeavesNothing(unit)
            }
        }

        /// A supervisor that is killed, a unit that spares its workers, a store that keeps their descriptors: the next
        /// supervisor finds them, with the sockets, and they notice nothing.
        @Test func aKilledSupervisorsWorkersAreFoundAgain() throws {
            let port = try FreePort.find()
            var service = Service(
                [
                    "--concurrent-workers", "3", "--memory-max", "64M", "--backoff-initial", "0.05",
                    "--listen",
                    "tcp://127.0.0.1:\(port)",
                ], worker: ["serve"],
                lines: [
                    "DelegateSubgroup=supervisor", "KillMode=process", "FileDescriptorStoreMax=8",
                    "Restart=on-failure", "RestartSec=0",
                ])
            service.unitLines = ["StartLimitIntervalSec=0"]
            try withUnit(service) { unit, journal in
                try unit.start()
                let directory = try unit.directory()
                // One of them in its second life.
                let first = try #require(try journal.waitForLine("worker_started") { $0.slot == 2 }.pid)
                kill(first, SIGKILL)
                try journal.waitForLine("worker_started") { $0.slot == 2 && $0.incarnation == 2 }
                let before = Self.workers(directory)
                #expect(before.count == 3)
                let client = try Connector(["tcp", "127.0.0.1", "\(port)"])
                var position = 0
                for _ in 0..<3 {
                    let main = Int32(try unit.number("MainPID"))
                    try #require(kill(main, SIGKILL) == 0)
                    let ready = try journal.waitFor("the next supervisor's readiness", from: position) {
                        entry in
                        entry.line?.event == "supervisor_ready" && entry.fields["_PID"] != "\(main)"
                    }
                    position = ready.position + 1
                    #expect(Self.workers(directory) == before)
                }
                let tally = try client.finish()
                #expect(tally.refused == 0 && tally.unanswered == 0, "\(tally)")
                #expect(try journal.lines("worker_adopted", until: "supervisor_ready", times: 4) == 9)
                #expect(Cgroupfs.children(of: "\(directory)/TestWorker") == ["1.1", "2.2", "3.1"])

                // It is watched: its end is noticed, and its slot's next is the next.
                let worker = try #require(Cgroupfs.processes(in: "\(directory)/TestWorker/2.2").first)
                kill(worker, SIGKILL)
                let end = try journal.waitForLine("worker_exited", from: position) { $0.slot == 2 }
                #expect(end.incarnation == 2 && end.pid == worker && end.reason == "failed")
                #expect(end.message.contains("how is not known"), "\(end.message)")
                try journal.waitForLine("worker_started", from: position) {
                    $0.slot == 2 && $0.incarnation == 3
                }
                try journal.waitForLine("worker_started", from: position) { $0.incarnation == 3 }
                try pollUntil("one socket and three processes are kept") {
                    try unit.number("NFileDescriptorStore") == 4
                }
                try expectStopLeavesNothing(unit)
            }
        }

        /// `systemctl restart`, 200 times, under clients of a socket that a unit passes and of one of our own that
        /// systemd stores meanwhile.
        @Test func twoHundredRestartsRefuseNobody() throws {
            let ports = (try FreePort.find(), try FreePort.find())
            var service = Service(
                ["--stop-timeout", "5", "--listen", "own=tcp://127.0.0.1:\(ports.0)"], worker: ["serve"],
                lines: ["FileDescriptorStoreMax=4"])
            service.unitLines = ["StartLimitIntervalSec=0"]
            try withUnit(service) { unit, journal in
                let socket = unit.name.replacing(".service", with: ".socket")
                let path = "/run/systemd/system/\(socket)"
                try write(
                    "[Socket]\nListenStream=127.0.0.1:\(ports.1)\nFileDescriptorName=passed\n", path)
                defer {
                    _ = try? unit.systemctl("stop", socket)
                    unlink(path)
                }
                #expect(try unit.systemctl("daemon-reload").status == .code(0))
                #expect(try unit.systemctl("start", socket).status == .code(0))
                try unit.start()
                try journal.waitForMessage(containing: "serving 2 passed:own ours")
                let clients = [
                    try Connector(["tcp", "127.0.0.1", "\(ports.0)"]),
                    try Connector(["tcp", "127.0.0.1", "\(ports.1)"]),
                ]
                for _ in 0..<200 { try unit.restart() }
                for client in clients {
                    let tally = try client.finish()
                    #expect(tally.refused == 0 && tally.made > 200, "\(tally)")
                }
                #expect(try unit.number("NRestarts") == 0)
                #expect(try unit.property("ActiveState") == "active")
                try expectStopLeavesNothing(unit)
            }
        }
    }
}
