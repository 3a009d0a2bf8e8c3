import Supervision
import SupervisionSimulation
import Testing

@Suite("A successor names the incarnation before it")
struct PredecessorTests {
    @Test("a late word of an older incarnation does not make it the predecessor")
    func olderIncarnationSpeaksLate() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.exit(life(1, 1), 0, after: .seconds(5))
        #expect(bench.actions.contains(.start(life(1, 2))))
        bench.start(life(1, 2))
        bench.exit(life(1, 2), 1, after: .seconds(5))
        bench.tell(life(1, 1), .removalFailed(errno: 5))
        bench.tell(.timer(.slot(SlotID(group: 0, slot: 1))), after: .seconds(1))
        #expect(bench.actions == [.start(life(1, 3))])
        bench.start(life(1, 3))
        #expect(bench.occurrences.first == .workerStarted(life(1, 3), pid: 103, replaces: 102))
    }
}
