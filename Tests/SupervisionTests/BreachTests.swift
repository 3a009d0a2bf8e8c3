import Supervision
import SupervisionSimulation
import Testing

@Suite("A worker above its memory limit")
struct BreachTests {
    private let mebibyte: UInt64 = 1 << 20

    private func alarmed(_ policy: GroupPolicy) -> Bench {
        var bench = Bench(policy)
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.tell(life(1, 1), .counters(MemoryCounters(high: 1)), after: .seconds(2))
        #expect(bench.actions == [.measureMemory(life(1, 1))])
        return bench
    }

    @Test("lift high, bound max, signal once, grace and two seconds, kill; the successor does not wait")
    func order() {
        var bench = alarmed(GroupPolicy(name: "web", workers: 1, memoryThreshold: 100 * mebibyte))
        let measurement = MemoryMeasurement(current: 120 * mebibyte, unreclaimable: 100 * mebibyte)
        bench.tell(life(1, 1), .measured(measurement))
        #expect(
            bench.actions == [
                .report(.workerMemoryLimit(life(1, 1), pid: 101, measurement, limit: 100 * mebibyte)),
                .setMemoryHigh(life(1, 1), nil),
                .setMemoryMax(life(1, 1), 150 * mebibyte),
                .signal(life(1, 1)),
                .report(.workerStopping(life(1, 1), pid: 101, .memoryLimit)),
                .setTimer(.incarnation(life(1, 1)), bench.now + .seconds(10)),
                .start(life(1, 2)),
            ])
        bench.tell(life(1, 1), .measured(measurement), after: .seconds(1))
        #expect(bench.actions.isEmpty)
        bench.tell(.timer(.incarnation(life(1, 1))), after: .milliseconds(8999))
        #expect(bench.actions.isEmpty)
        bench.tell(.timer(.incarnation(life(1, 1))), after: .milliseconds(1))
        #expect(bench.actions.first == .kill(life(1, 1)))
        bench.tell(life(1, 1), .exited(Exit(status: .signal(9, coreDumped: false))))
        #expect(bench.ends.map(\.reason) == [.memoryLimit])
    }

    @Test(
        "the headroom is a quarter, at least 16 MiB, never past the hard limit, never below what is in use",
        arguments: [
            (40, nil, 56), (200, nil, 250), (200, 220, 220), (200, 300, 250), (200, 200, 200),
            (201, 200, nil),
        ] as [(UInt64, UInt64?, UInt64?)])
    func headroom(_ current: UInt64, _ hard: UInt64?, _ expected: UInt64?) {
        var bench = alarmed(
            GroupPolicy(
                name: "web", workers: 1, memoryThreshold: 40 * mebibyte, memoryMax: hard.map { $0 * mebibyte }
            ))
        bench.tell(
            life(1, 1),
            .measured(MemoryMeasurement(current: current * mebibyte, unreclaimable: 40 * mebibyte)))
        let limits = bench.actions.compactMap { action -> UInt64? in
            if case .setMemoryMax(_, let bytes) = action { bytes } else { nil }
        }
        #expect(limits == (expected.map { [$0 * mebibyte] } ?? []))
    }
}
