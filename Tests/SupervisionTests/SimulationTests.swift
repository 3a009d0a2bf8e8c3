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
        #expect(kinds.filter { $0.1 == 0 }.map(\.0) == ["hostTrouble", "hostNotice"])
    }

    @Test("name the invariant that a deliberate mistake breaks", arguments: Invariant.allCases)
    func sabotage(_ invariant: Invariant) throws {
        var simulation = Simulation(seed: 1, breaking: invariant)
        let failure = #expect(throws: Simulation.Failure.self) { try simulation.run(events: 300_000) }
        #expect(failure?.violation.invariant == invariant)
        #expect(failure?.trace.isEmpty == false)
    }
}
