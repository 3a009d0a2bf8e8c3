import Glibc
import SupervisorHarness
import Testing

/// A system service of `Type=notify` with `Delegate=yes`.
extension Systemd {
    @Suite(.serialized) struct SystemService {
        static let variants: [[String]] = [
            [], ["DelegateSubgroup=supervisor"], ["User=\(Ordinary.name)"],
            ["User=\(Ordinary.name)", "DelegateSubgroup=supervisor"],
        ]

        @Test(arguments: variants)
        func aPoolIsActiveWhenReadyHasTheTreeAndLeavesNothing(_ lines: [String]) throws {
            let service = Service(
                ["--concurrent-workers", "4", "--memory-max", "64M"], worker: ["sleep"], lines: lines)
            try withUnit(service) { unit, journal in
                try unit.start()
                try expectPool(of: 4, in: unit, journal)
                try expectStopLeavesNothing(unit)
            }
        }

        @Test func aWorkerKilledAtItsLimitIsReplacedWhileTheServiceStaysActive() throws {
            let service = Service(["--memory-max", "32M"], worker: ["allocate", "64M"])
            try withUnit(service) { unit, journal in
                try unit.start()
                let main = try unit.number("MainPID")
                let death = try journal.waitForLine("worker_exited")
                #expect(death.reason == "oom_killed")
                #expect(death.oomKills ?? 0 > 0)
                let next = try journal.waitForLine("worker_started") { $0.incarnation == 2 }
                #expect(next.slot == death.slot)
                #expect(try unit.property("ActiveState") == "active")
                #expect(try unit.number("MainPID") == main)
                #expect(try unit.number("NRestarts") == 0)
                try expectStopLeavesNothing(unit)
            }
        }

        @Test func systemdCountsWhatTheCgroupsOfTheTreeCount() throws {
            let service = Service(
                ["--concurrent-workers", "2", "--memory-max", "256M"], worker: ["allocate", "160M"])
            try withUnit(service) { unit, journal in
                try unit.start()
                let directory = try unit.directory()
                let leaves = try leaves(of: directory)
                #expect(leaves.count == 3)
                for leaf in leaves where !leaf.hasSuffix("/supervisor") {
                    // All of it: what the supervisor took before it moved is in the unit alone, and is less than 1 % then.
                    try pollUntil("\(leaf) holds its 160 MiB") {
                        try bytes("\(leaf)/memory.current") >= 160 << 20
                    }
                }
                // Nothing moves while they are frozen.
                try freeze(directory, true)
                let memory = try leaves.reduce(0) { try $0 + bytes("\($1)/memory.current") }
                let shown = try unit.number("MemoryCurrent")
                #expect(isWithinOnePercent(memory, shown), "the sum is \(memory), systemd says \(shown)")
                try freeze(directory, false)
            }
        }

        @Test func systemdCountsTheProcessorTimeOfTheTree() throws {
            try withUnit(Service(worker: ["spin"])) { unit, journal in
                try unit.start()
                let directory = try unit.directory()
                let leaves = try leaves(of: directory)
                func sample() throws -> (sum: UInt64, shown: UInt64) {
                    try freeze(directory, true)
                    let sum = try leaves.reduce(0) { try $0 + number("usage_usec", in: "\($1)/cpu.stat") }
                    let shown = try unit.number("CPUUsageNSec") / 1000
                    try freeze(directory, false)
                    return (sum, shown)
                }
                // What the supervisor used before it moved to its own cgroup is in the unit alone.
                let first = try sample()
                try pollUntil("the worker has computed for two seconds") {
                    try number("usage_usec", in: "\(directory)/cpu.stat") > first.shown + 2_000_000
                }
                let second = try sample()
                let (sum, shown) = (second.sum - first.sum, second.shown - first.shown)
                #expect(isWithinOnePercent(sum, shown), "the sum is \(sum), systemd says \(shown)")
            }
        }
    }
}

/// Four workers, each in its cgroup, and the supervisor in its own.
func expectPool(of count: Int, in unit: Unit, _ journal: Journal) throws {
    #expect(try unit.property("ActiveState") == "active")
    #expect(try unit.property("SubState") == "running")
    let ready = try journal.waitFor("supervisor_ready") { $0.line?.event == "supervisor_ready" }
    // Both clocks are the machine's monotonic one, in microseconds. journald receives what we say after it is true.
    let active = try unit.number("ActiveEnterTimestampMonotonic")
    let said = try #require(
        ready.fields["_SOURCE_MONOTONIC_TIMESTAMP"] ?? ready.fields["__MONOTONIC_TIMESTAMP"])
    #expect(try #require(UInt64(said)) < active + 2_000_000)

    let directory = try unit.directory()
    #expect(Cgroupfs.children(of: directory) == ["TestWorker", "supervisor"])
    #expect(Cgroupfs.children(of: "\(directory)/TestWorker") == (1...count).map { "\($0).1" })
    #expect(
        Cgroupfs.processes(in: "\(directory)/supervisor").map(UInt64.init) == [try unit.number("MainPID")])
    for slot in 1...count {
        #expect(Cgroupfs.processes(in: "\(directory)/TestWorker/\(slot).1").count == 1)
    }
    let (status, tree) = try Tool.run(["systemd-cgls", "--no-pager", "--full", directory])
    #expect(status == .code(0))
    for name in ["supervisor", "TestWorker"] + (1...count).map({ "\($0).1" }) {
        #expect(
            tree.split(separator: "\n").contains { $0.hasSuffix("─\(name)") || $0.contains("─\(name) ") },
            "\(tree)")
    }
}

/// Stops it: no process, no cgroup, and systemd thinks well of it.
func expectStopLeavesNothing(_ unit: Unit) throws {
    let directory = try unit.directory()
    let processes = Cgroupfs.allProcesses(in: directory)
    #expect(!processes.isEmpty)
    try unit.stop()
    #expect(try unit.property("ActiveState") == "inactive")
    #expect(try unit.property("Result") == "success")
    #expect(!Cgroupfs.exists(directory))
    #expect(processes.filter { ProcessFacts($0).runs } == [])
}

/// The cgroups of a unit's tree that hold processes.
func leaves(of directory: String) throws -> [String] {
    let children = Cgroupfs.children(of: directory) ?? []
    if children.isEmpty { return [directory] }
    return try children.flatMap { try leaves(of: "\(directory)/\($0)") }
}

func bytes(_ path: String) throws -> UInt64 {
    let text = (TextFile.read(path) ?? "").split(separator: "\n").first
    guard let text, let value = UInt64(text) else { throw HarnessFailure("\(path) has no number") }
    return value
}

private func freeze(_ directory: String, _ freezes: Bool) throws {
    let error = TextFile.write(freezes ? "1" : "0", to: "\(directory)/cgroup.freeze")
    guard error == 0 else { throw HarnessFailure("cannot freeze \(directory): errno \(error)") }
    try pollUntil("\(directory) is \(freezes ? "frozen" : "thawed")") {
        try number("frozen", in: "\(directory)/cgroup.events") == (freezes ? 1 : 0)
    }
}

private func isWithinOnePercent(_ first: UInt64, _ second: UInt64) -> Bool {
    max(first, second) - min(first, second) <= max(first, second) / 100
}
