import Supervision
import SupervisionSimulation
import Testing

@Suite("The shared tick over slid wires")
struct WireTickTests {
    private let mebibyte: UInt64 = 1 << 20

    /// A worker with a threshold of 100 MiB whose page cache has slid its wire.
    private func slid() -> Bench {
        var bench = Bench(GroupPolicy(name: "web", workers: 1, memoryThreshold: 100 * mebibyte))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.tell(life(1, 1), .counters(MemoryCounters(high: 1)))
        bench.tell(
            life(1, 1),
            .measured(MemoryMeasurement(current: 100 * mebibyte, unreclaimable: 10 * mebibyte)))
        return bench
    }

    @Test("comes after a second, then half as often while nothing changes, up to a minute")
    func doubles() {
        var bench = slid()
        #expect(bench.delay(of: .wires) == .seconds(1))
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            bench.fire(.wires)
            #expect(bench.actions.first == .measureMemory(life(1, 1)))
            #expect(bench.delay(of: .wires) == .seconds(seconds))
        }
    }

    @Test("looks at nothing before it is due, or where it is not set")
    func early() {
        var bench = slid()
        bench.tell(.timer(.wires), after: .milliseconds(999))
        #expect(bench.actions.isEmpty)
        bench.tell(.timer(.wires), after: .milliseconds(1))
        #expect(bench.actions.first == .measureMemory(life(1, 1)))
        #expect(bench.delay(of: .wires) == .seconds(2))
        bench.tell(.stop)
        bench.tell(.timer(.wires), after: .seconds(2))
        #expect(bench.actions.isEmpty)
    }

    @Test("is cancelled when the last wire slides back")
    func endsWithTheLastSlidWire() {
        var bench = slid()
        bench.fire(.wires)
        bench.tell(
            life(1, 1), .measured(MemoryMeasurement(current: 20 * mebibyte, unreclaimable: 10 * mebibyte)))
        #expect(bench.actions == [.setMemoryHigh(life(1, 1), 100 * mebibyte), .cancelTimer(.wires)])
        bench.tell(.stop)
        #expect(!bench.actions.contains(.cancelTimer(.wires)))
    }

    @Test("is cancelled when the last worker with a slid wire ends, or at a stop")
    func endsWithTheLastWorker() {
        var ended = slid()
        ended.exit(life(1, 1), 0, after: .milliseconds(500))
        #expect(ended.actions.contains(.cancelTimer(.wires)))
        var stopped = slid()
        stopped.tell(.stop)
        #expect(stopped.actions.contains(.cancelTimer(.wires)))
    }
}
