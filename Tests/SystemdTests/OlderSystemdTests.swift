import Glibc
import SupervisorHarness
import Testing

/// The shipped unit on Debian 12, whose systemd, 252, has neither `Type=notify-reload` nor `DelegateSubgroup=`.
extension Systemd {
    @Suite(.serialized) struct OlderSystemd {
        private static let unit = "sergeantcg@pool.service"
        private static let file = "/etc/sergeantcg/pool.yaml"

        /// Its worker is ready three seconds after its start.
        private static func configuration(_ more: String = "") -> String {
            """
            groups:
              w:
                command: [/bin/sh, -c, "sleep 3; systemd-notify --ready; exec sleep 1000"]
                notify: true
                memory-max: 64M\(more)

            """
        }

        @Test func theUnitIsActiveWhenReadyReloadsAndLeavesNothing() throws {
            let debian = try Debian12()
            defer { debian.end() }
            #expect(try debian.run(["systemctl", "--version"]).hasPrefix("systemd 252 "))
            try debian.copy("units/sergeantcg@.service", "/etc/systemd/system/sergeantcg@.service")
            try debian.copy(
                "units/debian-12/sergeantcg.conf", "/etc/systemd/system/sergeantcg@.service.d/debian-12.conf")
            try write(Self.configuration(), Debian12.root + Self.file)
            try debian.run(["systemctl", "daemon-reload"])

            let before = ContinuousClock.now
            try debian.run(["systemctl", "start", Self.unit])
            #expect(ContinuousClock.now - before >= .seconds(3))
            #expect(try debian.property("Type", of: Self.unit) == "notify")
            #expect(try debian.property("ActiveState", of: Self.unit) == "active")
            #expect(try debian.property("StatusText", of: Self.unit) == "1/1 workers ready")
            let directory = try debian.directory(of: Self.unit)
            #expect(Cgroupfs.children(of: directory) == ["supervisor", "w"])
            #expect(Cgroupfs.children(of: "\(directory)/w") == ["1.1"])
            #expect(Cgroupfs.processes(in: "\(directory)/w/1.1").count == 1)
            #expect(try bytes("\(directory)/w/1.1/memory.max") == 64 << 20)

            try write(Self.configuration("\n    env: {A: b}"), Debian12.root + Self.file)
            try debian.run(["systemctl", "reload", Self.unit])
            #expect(Cgroupfs.children(of: "\(directory)/w") == ["1.2"])
            #expect(try debian.property("ActiveState", of: Self.unit) == "active")

            try debian.run(["systemctl", "stop", Self.unit])
            #expect(try debian.property("Result", of: Self.unit) == "success")
            #expect(!Cgroupfs.exists(directory))
        }
    }
}

/// Debian 12 in a container of the machine, with systemd as its process 1 (systemd-nspawn(1)).
private struct Debian12 {
    /// Where scripts/kernels/qemu.image puts it.
    static let root = "/var/lib/machines/bookworm"
    private static let service = Unit(name: "sergeantcg-test-debian-12.service", manager: .system)

    private let directory: String
    private let leader: Int32

    init() throws {
        try Installed.check()
        for program in [Installed.supervisor, Installed.worker] {
            try Tool.mustRun(["install", "-D", "-m", "755", program, Self.root + program])
        }
        try write("u sergeantcg -\n", Self.root + "/etc/sysusers.d/sergeantcg.conf")
        try Tool.mustRun(["systemd-sysusers", "--root=\(Self.root)"])
        let (status, output) = try Tool.run([
            "systemd-run", "--quiet", "--unit=\(Self.service.name)", "--service-type=notify",
            "--slice=system.slice",
            "--property=Delegate=yes", "--property=KillMode=mixed",
            "systemd-nspawn", "--keep-unit", "--register=no", "--boot", "--quiet", "--notify-ready=yes",
            "--console=read-only", "--directory=\(Self.root)",
        ])
        guard status == .code(0) else {
            let (_, log) = try Tool.run(["journalctl", "--no-pager", "-o", "cat", "-u", Self.service.name])
            throw HarnessFailure("Debian 12 does not boot: \(output)\(log)")
        }
        directory = try Self.service.directory() + "/payload"
        guard let leader = Cgroupfs.processes(in: directory + "/init.scope").first else {
            throw HarnessFailure("\(directory) has no process 1: \(Cgroupfs.children(of: directory) ?? [])")
        }
        self.leader = leader
    }

    func end() { _ = try? Self.service.systemctl("stop", Self.service.name) }

    /// Runs a program in it, as root; it must end well.
    @discardableResult
    func run(_ words: [String]) throws -> String {
        let (status, output) = try Tool.run(["nsenter", "--target", "\(leader)", "--all"] + words)
        guard status == .code(0) else {
            let (_, log) = try Tool.run(
                ["nsenter", "--target", "\(leader)", "--all", "journalctl", "--no-pager", "-n40"])
            throw HarnessFailure("\(words.joined(separator: " ")): \(status): \(output)\(log)")
        }
        return output
    }

    func copy(_ source: String, _ target: String) throws {
        try Tool.mustRun(["install", "-Dm", "644", "\(Installed.checkout)/\(source)", Self.root + target])
    }

    func property(_ property: String, of unit: String) throws -> String {
        try run(["systemctl", "show", "--value", "--property", property, unit])
            .split(separator: "\n").first.map(String.init) ?? ""
    }

    /// The cgroup of one of its units, as seen from outside.
    func directory(of unit: String) throws -> String {
        directory + (try property("ControlGroup", of: unit))
    }
}
