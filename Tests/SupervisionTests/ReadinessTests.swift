import Supervision
import SupervisionSimulation
import Testing

@Suite("Readiness")
struct ReadinessTests {
    @Test("the supervisor is ready once, when all workers are for the first time")
    func supervisor() {
        var bench = Bench(
            GroupPolicy(name: "web", workers: 2),
            GroupPolicy(name: "other", workers: 1, readiness: .whenReported))
        let other = IncarnationID(group: 1, slot: 1, number: 1)
        bench.tell(.begin)
        for id in [life(1, 1), life(2, 1), other] {
            bench.start(id)
            #expect(!bench.occurrences.contains(.supervisorReady))
        }
        bench.exit(life(2, 1), 0, after: .seconds(1))
        bench.tell(other, .ready)
        // The one that finished was ready before: it holds nothing back.
        #expect(bench.occurrences == [.workerReady(other, pid: 103), .supervisorReady])
        bench.start(life(2, 2))
        bench.exit(life(2, 2), 0, after: .seconds(1))
        bench.start(life(2, 3))
        #expect(bench.occurrences.last == .workerReady(life(2, 3), pid: 105))
    }

    @Test("one that failed holds readiness back until its successor is ready")
    func failed() {
        var bench = Bench(GroupPolicy(name: "web", workers: 2, readiness: .whenReported))
        bench.tell(.begin)
        for slot in 1...2 { bench.start(life(slot, 1)) }
        bench.tell(life(1, 1), .ready)
        bench.exit(life(1, 1), 1)
        bench.tell(life(2, 1), .ready)
        #expect(!bench.occurrences.contains(.supervisorReady))
        bench.tell(.timer(.slot(SlotID(group: 0, slot: 1))), after: .seconds(1))
        bench.start(life(1, 2))
        bench.tell(life(1, 2), .ready)
        #expect(bench.occurrences.contains(.supervisorReady))
    }

    @Test("with a minimum the supervisor is ready when so many of the group are")
    func minimum() {
        var bench = Bench(
            GroupPolicy(name: "web", workers: 3, readiness: .whenReported, minimumReady: 2))
        bench.tell(.begin)
        for slot in 1...3 { bench.start(life(slot, 1)) }
        bench.tell(life(3, 1), .ready)
        #expect(!bench.occurrences.contains(.supervisorReady))
        bench.tell(life(1, 1), .ready)
        #expect(bench.occurrences.contains(.supervisorReady))
    }

    @Test("a worker that reports is ready once, and its start timeout is over")
    func reported() {
        var bench = Bench(
            GroupPolicy(name: "web", workers: 1, readiness: .whenReported, startTimeout: .seconds(5)))
        bench.tell(.begin)
        bench.start(life(1, 1))
        #expect(bench.delay(of: .incarnation(life(1, 1))) == .seconds(5))
        bench.tell(life(1, 1), .ready, after: .seconds(4))
        #expect(bench.actions.first == .cancelTimer(.incarnation(life(1, 1))))
        bench.tell(life(1, 1), .ready)
        #expect(bench.actions.isEmpty)
        bench.tell(.timer(.incarnation(life(1, 1))), after: .seconds(2))
        #expect(bench.actions.isEmpty)
    }

    @Test("a worker that is not ready in time is told to stop and counts as a failure")
    func startTimeout() {
        var bench = Bench(
            GroupPolicy(name: "web", workers: 1, readiness: .whenReported, startTimeout: .seconds(5)))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.tell(.timer(.incarnation(life(1, 1))), after: .milliseconds(4999))
        #expect(bench.actions.isEmpty)
        bench.tell(.timer(.incarnation(life(1, 1))), after: .milliseconds(1))
        #expect(bench.actions.first == .signal(life(1, 1)))
        #expect(bench.delay(of: .slot(SlotID(group: 0, slot: 1))) != nil)
        bench.exit(life(1, 1), 0)
        #expect(bench.ends.map(\.reason) == [.startTimeout])
    }

    @Test("a worker that speaks after it was told to stop is not ready")
    func tooLate() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1, readiness: .whenReported))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.tell(.stop)
        bench.tell(life(1, 1), .ready)
        #expect(bench.actions.isEmpty)
    }
}
