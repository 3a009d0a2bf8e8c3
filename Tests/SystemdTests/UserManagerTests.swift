import SupervisorHarness
import Testing

/// A service of an ordinary user's own manager.
extension Systemd {
    @Suite(.serialized) struct UserManager {
        @Test(arguments: [[], ["DelegateSubgroup=supervisor"]])
        func aPoolRunsAndLeavesNothing(_ lines: [String]) throws {
            let service = Service(
                ["--concurrent-workers", "4", "--memory-max", "64M"], worker: ["sleep"], lines: lines)
            try withUnit(service, manager: .user) { unit, journal in
                try unit.start()
                try expectPool(of: 4, in: unit, journal)
                try expectStopLeavesNothing(unit)
            }
        }

        @Test func aWorkerKilledAtItsLimitIsReplaced() throws {
            let service = Service(["--memory-max", "32M"], worker: ["allocate", "64M"])
            try withUnit(service, manager: .user) { unit, journal in
                try unit.start()
                #expect(try journal.waitForLine("worker_exited").reason == "oom_killed")
                try journal.waitForLine("worker_started") { $0.incarnation == 2 }
                #expect(try unit.property("ActiveState") == "active")
            }
        }
    }
}
