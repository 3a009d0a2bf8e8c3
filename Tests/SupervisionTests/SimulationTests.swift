import FoundationEssentials
import Supervision
import SupervisionSimulation
import Testing

@Suite("Random histories")
struct SimulationTests {
    /// Seeds whose histories once broke an invariant, and some that never did.
    @Test("hold every invariant after every step", arguments: [1, 2, 7, 2026] as [UInt64])
    func corpus(_ seed: UInt64) throws {
        var simulation = Simulation(seed: seed)
        try simulation.run(events: 200_000)
        #expect(simulation.score.events >= 200_000)
    }

    @Test("are the same again from the same seed")
    func replay() throws {
        let scores = try (0..<2).map { _ in
            var simulation = Simulation(seed: 42)
            try simulation.run(events: 20_000)
            return "\(simulation.score)"
        }
        #expect(scores[0] == scores[1])
    }

    @Test("bring about every kind of event and of action")
    func kinds() throws {
        var simulation = Simulation(seed: 5)
        try simulation.run(events: 200_000)
        let kinds = simulation.score.eventKinds + simulation.score.actionKinds
        // What a worker says of itself is not played yet; "What a worker says of itself" tests it by hand.
        let unplayed = [
            "alive", "watchdogInterval", "broken", "extended", "leaving", "abort", "workerLeaving",
            "workerWatchdog", "workerStatus",
        ]
        #expect(kinds.filter { $0.1 == 0 }.map(\.0) == unplayed + ["hostTrouble", "hostNotice"])
    }

    @Test(
        "go on as they would have when supervision is encoded and decoded at random moments",
        arguments: [3, 4] as [UInt64])
    func transfer(_ seed: UInt64) throws {
        var transfers = 0
        var simulation = Simulation(seed: seed) { supervision in
            transfers += 1
            return try JSONDecoder().decode(Supervision.self, from: JSONEncoder().encode(supervision))
        }
        try simulation.run(events: 100_000)
        #expect(transfers > 200)
    }

    @Test("name what a transfer forgets")
    func forgetfulTransfer() throws {
        var simulation = Simulation(seed: 3) { supervision in
            let text = String(decoding: try JSONEncoder().encode(supervision), as: UTF8.self)
            let altered = text.replacing("\"lastRan\":1,", with: "\"lastRan\":2,")
            return try JSONDecoder().decode(Supervision.self, from: Data(altered.utf8))
        }
        let failure = #expect(throws: Simulation.Failure.self) { try simulation.run(events: 100_000) }
        #expect(failure?.violation.invariant == .survivesTransfer)
    }

    @Test(
        "name the invariant that a deliberate mistake breaks",
        arguments: Invariant.allCases.filter { $0 != .survivesTransfer })
    func sabotage(_ invariant: Invariant) throws {
        // With these seeds each is what is broken first, and what stays for ever does not die before its time.
        var simulation = Simulation(seed: invariant == .paced ? 1 : 4, breaking: invariant)
        let failure = #expect(throws: Simulation.Failure.self) { try simulation.run(events: 300_000) }
        #expect(failure?.violation.invariant == invariant)
        #expect(failure?.trace.isEmpty == false)
    }
}
