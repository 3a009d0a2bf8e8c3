import Supervision
import SupervisionSimulation
import Testing

@Suite("A slot is started ten times a second at most")
struct PaceTests {
    private let slot = TimerID.slot(SlotID(group: 0, slot: 1))

    @Test("workers that finish at once are paced, and that is said once")
    func quickFinish() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        var told = 0
        for number in 1...20 {
            let began = bench.now
            bench.start(life(1, number), after: .milliseconds(1))
            bench.exit(life(1, number), 0, after: .milliseconds(2))
            #expect(bench.delay(of: slot) == .milliseconds(97))
            told += bench.occurrences.count { $0 == .workerPaced(SlotID(group: 0, slot: 1)) }
            bench.fire(slot)
            #expect(bench.actions == [.start(life(1, number + 1))])
            #expect(bench.now - began == .milliseconds(100))
        }
        #expect(told == 1)
    }

    @Test("a worker that lived a tenth of a second is replaced at once")
    func noNeedToPace() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.exit(life(1, 1), 0, after: .milliseconds(100))
        #expect(bench.actions.contains(.start(life(1, 2))))
        #expect(bench.delay(of: slot) == nil)
    }

    @Test(
        "failures are paced where the back-off is shorter than that",
        arguments: [Duration.zero, .milliseconds(1), .milliseconds(50)])
    func shortBackOff(_ initial: Duration) {
        var bench = Bench(
            GroupPolicy(name: "web", workers: 1, backOffInitial: initial, backOffMaximum: .milliseconds(60)))
        bench.tell(.begin)
        for number in 1...5 {
            bench.start(life(1, number))
            bench.exit(life(1, number), 1)
            #expect(bench.delay(of: slot) == .milliseconds(100))
            bench.fire(slot)
            #expect(bench.actions == [.start(life(1, number + 1))])
        }
    }
}
