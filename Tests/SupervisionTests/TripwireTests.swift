import Supervision
import SupervisionSimulation
import Testing

@Suite("The wire of a worker's memory")
struct TripwireTests {
    private let mebibyte: UInt64 = 1 << 20

    private func watched(hard: UInt64? = nil) -> Bench {
        var bench = Bench(
            GroupPolicy(
                name: "web", workers: 1, memoryThreshold: 100 * mebibyte,
                memoryMax: hard.map { $0 * mebibyte }))
        bench.tell(.begin)
        bench.start(life(1, 1))
        return bench
    }

    /// The kernel raised an alarm, and this is what a look found; in mebibytes.
    private func alarm(_ bench: inout Bench, _ count: UInt64, _ current: UInt64, _ unreclaimable: UInt64) {
        bench.tell(life(1, 1), .counters(MemoryCounters(high: count, max: count)))
        #expect(bench.actions == [.measureMemory(life(1, 1))])
        look(&bench, current, unreclaimable)
    }

    /// What a look on the shared tick found.
    private func look(_ bench: inout Bench, _ current: UInt64, _ unreclaimable: UInt64) {
        bench.tell(
            life(1, 1),
            .measured(
                MemoryMeasurement(current: current * mebibyte, unreclaimable: unreclaimable * mebibyte)))
    }

    private func high(_ bench: Bench) -> [UInt64?] {
        bench.actions.compactMap { action -> UInt64?? in
            if case .setMemoryHigh(_, let bytes) = action {
                .some(bytes.map { $0 / mebibyte })
            } else {
                .none
            }
        }
    }

    @Test("slides to what is in use plus what may still grow")
    func slides() {
        var bench = watched()
        alarm(&bench, 1, 100, 10)
        #expect(high(bench) == [190])
        alarm(&bench, 2, 190, 40)
        #expect(high(bench) == [250])
    }

    @Test("slides back to the threshold when the cache is gone")
    func slidesBack() {
        var bench = watched()
        alarm(&bench, 1, 100, 10)
        look(&bench, 76, 10)
        #expect(high(bench) == [166])
        look(&bench, 75, 10)
        #expect(high(bench) == [100])
        look(&bench, 75, 10)
        #expect(high(bench) == [])
    }

    @Test("does not move for a change below a sixteenth on the tick")
    func hysteresis() {
        var bench = watched()
        alarm(&bench, 1, 100, 10)
        look(&bench, 106, 10)
        #expect(high(bench) == [])
        look(&bench, 95, 10)
        #expect(high(bench) == [])
        look(&bench, 107, 10)
        #expect(high(bench) == [197])
    }

    @Test("an alarm never lowers the wire, the tick may")
    func alarmDoesNotLower() {
        var bench = watched()
        alarm(&bench, 1, 200, 10)
        #expect(high(bench) == [290])
        alarm(&bench, 2, 150, 10)
        #expect(high(bench) == [])
        look(&bench, 150, 10)
        #expect(high(bench) == [240])
    }

    @Test("gives way to the hard limit where that is nearer, and its storm of events is shut off")
    func hardLimit() {
        var bench = watched(hard: 160)
        alarm(&bench, 1, 100, 10)
        #expect(high(bench) == [nil])
        #expect(!bench.actions.contains(.observeMemoryEvents(life(1, 1), false)))
        alarm(&bench, 2, 155, 10)
        #expect(bench.actions.contains(.observeMemoryEvents(life(1, 1), false)))
        look(&bench, 120, 20)
        #expect(bench.actions.contains(.observeMemoryEvents(life(1, 1), true)))
        look(&bench, 76, 20)
        #expect(high(bench) == [156])
    }

    @Test(
        "a breach counts from a little below the threshold, for memory.stat trails",
        arguments: [(98, false), (99, false), (100, true), (150, true)])
    func slack(_ unreclaimable: UInt64, _ isBreach: Bool) {
        var bench = watched()
        alarm(&bench, 1, 200, unreclaimable)
        #expect(bench.actions.contains(.signal(life(1, 1))) == isBreach)
    }

    @Test("half a mebibyte below the threshold is a breach, a byte less is none")
    func slackToTheByte() {
        for (below, isBreach) in [((512 << 10) - 1, true), (512 << 10, false)] as [(UInt64, Bool)] {
            var bench = watched()
            bench.tell(
                life(1, 1),
                .measured(MemoryMeasurement(current: 200 * mebibyte, unreclaimable: 100 * mebibyte - below)))
            #expect(bench.actions.contains(.signal(life(1, 1))) == isBreach)
        }
    }

    @Test("counters that did not rise are no alarm; merged or repeated ones are one")
    func countersAreCompared() {
        var bench = watched()
        bench.tell(life(1, 1), .counters(MemoryCounters(oom: 3)))
        #expect(bench.actions.isEmpty)
        bench.tell(life(1, 1), .counters(MemoryCounters(high: 20, oom: 3)))
        #expect(bench.actions == [.measureMemory(life(1, 1))])
        bench.tell(life(1, 1), .counters(MemoryCounters(high: 20, oom: 3)))
        #expect(bench.actions.isEmpty)
    }

    @Test("growth on the tick has the next look come sooner")
    func growthShortensTheTick() {
        var bench = watched()
        alarm(&bench, 1, 190, 10)
        for _ in 1...4 { bench.fire(.wires) }
        #expect(bench.delay(of: .wires) == .seconds(16))
        look(&bench, 190, 12)
        #expect(bench.delay(of: .wires) == nil)
        bench.tell(.timer(.wires))
        look(&bench, 198, 20)
        #expect(bench.delay(of: .wires) == .seconds(1))
    }
}
