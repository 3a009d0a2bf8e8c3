import Glibc
import SupervisorHarness
import Testing

/// The units that are there to be copied, as they are.
extension Systemd {
    @Suite(.serialized) struct ShippedUnits {
        /// A user of its own, all the hardening, and workers that run all the same.
        @Test func anInstanceRunsItsFileRollsWhatChangedAndIsSafe() throws {
            let unit = Unit(name: "sergeantcg@pool.service", manager: .system)
            try Shipped.makeUser()
            try withShipped(
                unit, ["sergeantcg@.service": "/run/systemd/system/sergeantcg@.service"],
                configuration: "/etc/sergeantcg/pool.yaml"
            ) { journal in
                try expectRunReloadAndStatus(of: unit, file: "/etc/sergeantcg/pool.yaml")
                let user = try #require(
                    try Tool.run(["id", "-u", "sergeantcg"]).output.split(separator: "\n").first)
                let worker = try #require(try Cgroupfs.allProcesses(in: unit.directory() + "/w").first)
                #expect(
                    TextFile.read("/proc/\(worker)/status")?
                        .contains("\nUid:\t\(user)\t\(user)\t\(user)\t\(user)\n") == true)
                #expect(try exposure(of: unit) <= 2.0)
                try expectStopLeavesNothing(unit)
                #expect(access("/run/sergeantcg/pool", F_OK) != 0)
            }
        }

        /// Its metrics are served by a unit of their own, which is shut in further.
        @Test func anInstancesMetricsAreServed() throws {
            let unit = Unit(name: "sergeantcg@pool.service", manager: .system)
            let exporter = Unit(name: "sergeantcg-exporter@pool.service", manager: .system)
            func ask(_ path: String) throws -> String {
                try Tool.run([
                    "timeout", "60", "bash", "-c",
                    "exec 3<>/dev/tcp/127.0.0.1/9797 && printf 'GET \(path) HTTP/1.0\\r\\n\\r\\n' >&3 && exec cat <&3",
                ]).output
            }
            try Shipped.makeUser()
            try withShipped(
                unit,
                [
                    "sergeantcg@.service": "/run/systemd/system/sergeantcg@.service",
                    "sergeantcg-exporter@.service": "/run/systemd/system/sergeantcg-exporter@.service",
                ],
                configuration: "/etc/sergeantcg/pool.yaml"
            ) { _ in
                try exporter.start()
                defer { _ = try? exporter.systemctl("stop", exporter.name) }
                #expect(try ask("/healthz").hasPrefix("HTTP/1.0 503 "))
                try unit.start()
                var ready = ""
                try pollUntil("it is ready to it too", within: .seconds(30)) {
                    ready = (try? ask("/readyz")) ?? ""
                    return ready.hasPrefix("HTTP/1.0 200 ")
                }
                #expect(ready.hasSuffix("pool is ready\n"), "\(ready)")
                let metrics = try ask("/metrics")
                #expect(
                    metrics.contains(
                        "\nsergeantcg_worker_memory_max_bytes{group=\"w\",slot=\"1\"} 67108864\n"),
                    "\(metrics)")
                #expect(try exposure(of: exporter) <= 1.3)
                try expectStopLeavesNothing(unit)
            }
        }

        /// The same as root, to switch users, with what that takes and nothing else.
        @Test func anInstanceThatMustBeRootIsAsSafeAsCanBe() throws {
            let unit = Unit(name: "sergeantcg@switch.service", manager: .system)
            try withShipped(
                unit,
                [
                    "sergeantcg@.service": "/run/systemd/system/sergeantcg@.service",
                    "root/sergeantcg.conf": "/run/systemd/system/\(unit.name).d/root.conf",
                ],
                configuration: "/etc/sergeantcg/switch.yaml"
            ) { _ in
                func start(_ command: String, _ more: String = "") throws {
                    let identity = "user: \(Ordinary.name), rlimit: {core: 0}, memory-max: 64M"
                    try write(
                        "groups: {w: {command: [\(Installed.worker), \(command)], \(identity)\(more)}}\n",
                        "/etc/sergeantcg/switch.yaml")
                    try unit.start()
                    #expect(try limits(in: unit) == [64 << 20])
                    let uid = Ordinary.uid
                    let worker = try #require(try Cgroupfs.allProcesses(in: unit.directory() + "/w").first)
                    #expect(
                        TextFile.read("/proc/\(worker)/status")?
                            .contains("\nUid:\t\(uid)\t\(uid)\t\(uid)\t\(uid)\n") == true)
                }
                try start("sleep")
                let root = try unit.number("MainPID")
                #expect(TextFile.read("/proc/\(root)/status")?.contains("\nUid:\t0\t0\t0\t0\n") == true)
                #expect(try exposure(of: unit) <= 3.1)
                try expectStopLeavesNothing(unit)
                // Their notify sockets take more.
                let more = "/run/systemd/system/\(unit.name).d/root-notify.conf"
                defer { unlink(more) }
                try Tool.mustRun([
                    "install", "-m", "644", "\(Installed.checkout)/units/root/notify.conf", more,
                ])
                try Tool.mustRun(["systemctl", "daemon-reload"])
                try start("notify, \"say:READY=1\"", ", notify: true")
                try expectStopLeavesNothing(unit)
            }
        }

        @Test func aUsersOwnManagerRunsTheUserUnit() throws {
            let unit = Unit(name: "sergeantcg@pool.service", manager: .user)
            let home = "/home/\(Ordinary.name)/.config"
            try withShipped(
                unit, ["user/sergeantcg@.service": "\(home)/systemd/user/sergeantcg@.service"],
                configuration: "\(home)/sergeantcg/pool.yaml"
            ) { _ in
                try expectRunReloadAndStatus(of: unit, file: "\(home)/sergeantcg/pool.yaml")
                try expectStopLeavesNothing(unit)
            }
        }

        /// Its program becomes a pool; what else the service has stays.
        @Test func theDropInMakesAPoolOfAService() throws {
            let unit = Unit(name: "sergeantcg-test-there.service", manager: .system)
            let (file, program) = ("/run/systemd/system/\(unit.name)", "/usr/local/bin/worker")
            defer { for file in [file, program] { unlink(file) } }
            try write("#!/bin/sh\nexec sleep 1000\n", program)
            try Tool.mustRun(["chmod", "755", program])
            try write("[Service]\nUser=\(Ordinary.name)\nExecStart=\(program)\nNice=3\n", file)
            try withShipped(unit, [:], configuration: "/run/sergeantcg-test-unused.yaml") { journal in
                try unit.start()
                #expect(try Cgroupfs.processes(in: unit.directory()).count == 1)
                try Tool.mustRun([
                    "install", "-Dm", "644", "\(Installed.checkout)/units/drop-in/sergeantcg.conf",
                    "\(file).d/sergeantcg.conf",
                ])
                defer { unlink("\(file).d/sergeantcg.conf") }
                try Tool.mustRun(["systemctl", "daemon-reload"])
                try unit.restart()
                #expect(try unit.property("StatusText") == "4/4 workers ready")
                let group = try unit.directory() + "/worker"
                for slot in 1...4 {
                    let worker = try #require(Cgroupfs.processes(in: "\(group)/\(slot).1").first)
                    let status = TextFile.read("/proc/\(worker)/status") ?? ""
                    #expect(status.contains("\nUid:\t\(Ordinary.uid)\t"))
                    #expect(try bytes("\(group)/\(slot).1/memory.max") == 512 << 20)
                    #expect(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(worker)) == 3)
                }
                try expectStopLeavesNothing(unit)
            }
        }

        private func expectRunReloadAndStatus(of unit: Unit, file: String) throws {
            try unit.start()
            #expect(try unit.property("ActiveState") == "active")
            #expect(try unit.property("StatusText") == "2/2 workers ready")
            #expect(try limits(in: unit) == [64 << 20, 64 << 20])
            let main = try unit.number("MainPID")
            try write(Shipped.configuration(memoryMax: "96M"), file)
            try unit.reload()
            #expect(try limits(in: unit) == [96 << 20, 96 << 20])
            #expect(try unit.number("MainPID") == main)
            #expect(try unit.property("ActiveState") == "active")
            let user = unit.manager == .user ? Ordinary.withManager : []
            let status = try Tool.run(user + [Installed.supervisor, "status", "--name", "pool"])
            #expect(status.status == .code(0))
            #expect(status.output.contains("pool: ready, PID \(main),"), "\(status.output)")
            #expect(
                status.output.split(separator: "\n").count { $0.contains(" ready ") } == 2, "\(status.output)"
            )
        }

        /// `memory.max` of each worker that has a process.
        private func limits(in unit: Unit) throws -> [UInt64] {
            let group = try unit.directory() + "/w"
            return try (Cgroupfs.children(of: group) ?? []).map { worker in
                #expect(Cgroupfs.processes(in: "\(group)/\(worker)").count == 1)
                return try bytes("\(group)/\(worker)/memory.max")
            }
        }
    }
}

private enum Shipped {
    /// The user that the system unit names.
    static func makeUser() throws {
        guard try Tool.run(["id", "sergeantcg"]).status != .code(0) else { return }
        try Tool.mustRun(["useradd", "--system", "--no-create-home", "sergeantcg"])
    }

    static func configuration(memoryMax: String) -> String {
        """
        groups:
          w: {command: [\(Installed.worker), sleep], concurrent-workers: 2, memory-max: \(memoryMax)}

        """
    }
}

/// Copies units of `units` to where they are to be, with a configuration of two workers; whatever happens the unit is
/// stopped and gone after.
private func withShipped(
    _ unit: Unit, _ copies: [String: String], configuration: String, _ body: (Journal) throws -> Void
) throws {
    try Installed.check()
    if unit.manager == .user { try Ordinary.startManager() }
    for (source, target) in copies {
        try Tool.mustRun(["install", "-Dm", "644", "\(Installed.checkout)/units/\(source)", target])
    }
    try write(Shipped.configuration(memoryMax: "64M"), configuration)
    let journal = try Journal(of: unit)
    defer {
        _ = try? unit.systemctl("kill", "--signal=KILL", unit.name)
        _ = try? unit.systemctl("stop", unit.name)
        _ = try? unit.systemctl("reset-failed", unit.name)
        for file in copies.values + [configuration] { unlink(file) }
        _ = try? unit.systemctl("daemon-reload")
    }
    do {
        let (status, output) = try unit.systemctl("daemon-reload")
        guard status == .code(0) else { throw HarnessFailure("daemon-reload: \(output)") }
        try body(journal)
    } catch {
        let state = (try? unit.systemctl("status", "--lines=0", unit.name).output) ?? ""
        throw HarnessFailure("\(error)\n\(state)\(journal.transcript)")
    }
}

/// What `systemd-analyze security` says of a unit that is loaded.
private func exposure(of unit: Unit) throws -> Double {
    let (status, text) = try Tool.run([
        "systemd-analyze", "security", "--no-pager", "--offline=no", unit.name,
    ])
    #expect(status == .code(0))
    let line = text.split(separator: "\n").last { $0.contains("Overall exposure level for \(unit.name):") }
    let level = line?.split(separator: " ").dropLast(2).last.flatMap { Double($0) }
    return try #require(level, "\(text)")
}
