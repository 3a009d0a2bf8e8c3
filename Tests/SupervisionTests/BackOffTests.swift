import Supervision
import SupervisionSimulation
import Testing

@Suite("Back-off")
struct BackOffTests {
    private let slot = TimerID.slot(SlotID(group: 0, slot: 1))

    /// The delays that follow so many failures in a row, none of them after a healthy run.
    private func delays(_ count: Int, seed: UInt64, _ policy: GroupPolicy) -> [Duration] {
        var bench = Bench(policy, seed: seed)
        bench.tell(.begin)
        return (1...count).compactMap { number in
            bench.start(life(1, number))
            bench.exit(life(1, number), 1, after: .seconds(1))
            let delay = bench.delay(of: slot)
            let told = bench.occurrences.last
            #expect(
                told == .workerBackoff(SlotID(group: 0, slot: 1), delay: delay ?? .zero, failures: number))
            bench.fire(slot)
            #expect(bench.actions == [.start(life(1, number + 1))])
            return delay
        }
    }

    @Test("0.2 s, doubled, jittered by a fifth, capped at 30 s", arguments: 1...50 as ClosedRange<UInt64>)
    func doubles(_ seed: UInt64) {
        let found = delays(12, seed: seed, GroupPolicy(name: "web", workers: 1))
        let bases: [Duration] = [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000, 30000]
            .map { .milliseconds($0) }
        #expect(found.count == bases.count)
        for (delay, base) in zip(found, bases) {
            #expect(delay >= base * 4 / 5)
            #expect(delay <= min(base * 6 / 5, .seconds(30)))
        }
    }

    @Test("two seeds jitter apart, one seed replays")
    func jitters() {
        let policy = GroupPolicy(name: "web", workers: 1)
        #expect(delays(5, seed: 1, policy) == delays(5, seed: 1, policy))
        #expect(delays(5, seed: 1, policy) != delays(5, seed: 2, policy))
    }

    @Test("a failure after ten seconds of readiness is replaced at once and forgets those before it")
    func forgotten() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        for number in 1...3 {
            bench.start(life(1, number))
            bench.exit(life(1, number), 1)
            bench.fire(slot)
        }
        bench.start(life(1, 4))
        bench.exit(life(1, 4), 1, after: .seconds(10))
        #expect(bench.actions.contains(.start(life(1, 5))))
        bench.start(life(1, 5))
        bench.exit(life(1, 5), 1, after: .milliseconds(9999))
        #expect(
            bench.occurrences.last
                == .workerBackoff(
                    SlotID(group: 0, slot: 1), delay: bench.delay(of: slot) ?? .zero, failures: 1))
    }

    @Test("an early timer does not end a wait")
    func earlyTimer() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.exit(life(1, 1), 1)
        let delay = bench.delay(of: slot) ?? .zero
        bench.tell(.timer(slot), after: delay - .nanoseconds(1))
        #expect(bench.actions.isEmpty)
        bench.tell(.timer(slot), after: .nanoseconds(1))
        #expect(bench.actions == [.start(life(1, 2))])
    }
}
