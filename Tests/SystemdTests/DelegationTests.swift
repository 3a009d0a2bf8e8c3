import SupervisorHarness
import Testing

/// A service that was not given what it needs.
extension Systemd {
    @Suite(.serialized) struct Delegation {
        /// As root and as an ordinary user.
        @Test(arguments: [[], ["User=\(Ordinary.name)"]])
        func aServiceThatIsNotDelegatedIsRefusedWithWhatToSet(_ lines: [String]) throws {
            var service = Service(["--memory-max", "64M"], worker: ["sleep"], lines: lines)
            service.delegate = "no"
            try withUnit(service) { unit, journal in
                try expectRefusal(of: unit)
                try journal.waitForMessage(containing: "Delegate=yes")
            }
        }

        /// A slice where no controller but pids reaches the services.
        static let withoutMemory = [
            "Slice=bare.slice", "MemoryAccounting=no", "CPUAccounting=no", "IOAccounting=no",
        ]

        @Test func aLimitWithoutItsControllerIsRefusedWithTheMissingFile() throws {
            var service = Service(["--memory-max", "64M"], worker: ["sleep"], lines: Self.withoutMemory)
            service.delegate = "pids"
            try withUnit(service) { unit, journal in
                try expectRefusal(of: unit)
                let said = try journal.waitForMessage(containing: "needs the controller 'memory'").message
                #expect(said.contains("\(unit.name)/cgroup.controllers (it has 'pids')"), "\(said)")
            }
        }

        @Test func withoutALimitItSupervisesWithoutAccountingAndSaysSoOnce() throws {
            var service = Service(worker: ["sleep"], lines: Self.withoutMemory)
            service.delegate = "pids"
            try withUnit(service) { unit, journal in
                try unit.start()
                try journal.waitForMessage(containing: "without memory accounting")
                try expectStopLeavesNothing(unit)
                try journal.waitForLine("supervisor_stopped")
                #expect(journal.entries.count { $0.message.contains("without memory accounting") } == 1)
            }
        }

        private func expectRefusal(of unit: Unit) throws {
            let (status, _) = try unit.systemctl("start", unit.name)
            #expect(status == .code(1))
            #expect(try unit.property("Result") == "exit-code")
            #expect(try unit.property("ExecMainStatus") == "69")
        }
    }
}
