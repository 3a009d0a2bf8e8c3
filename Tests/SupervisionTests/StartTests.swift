import Supervision
import SupervisionSimulation
import Testing

@Suite("Starting a pool")
struct StartTests {
    private func starts(_ bench: Bench) -> [IncarnationID] {
        bench.actions.compactMap { if case .start(let id) = $0 { id } else { nil } }
    }

    @Test("asks for 32 starts at a time, the rest in order as they are answered")
    func inFlight() {
        var bench = Bench(GroupPolicy(name: "web", workers: 40), GroupPolicy(name: "other", workers: 5))
        bench.tell(.begin)
        #expect(starts(bench) == (1...32).map { life($0, 1) })
        var waiting =
            (33...40).map { life($0, 1) } + (1...5).map { IncarnationID(group: 1, slot: $0, number: 1) }
        for slot in (1...32).reversed() {
            if slot % 2 == 0 {
                bench.start(life(slot, 1))
            } else {
                bench.tell(life(slot, 1), .startFailed(StartFailure(isPermanent: false, sentence: "")))
            }
            #expect(starts(bench) == Array(waiting.prefix(1)))
            waiting = Array(waiting.dropFirst())
        }
        #expect(waiting.isEmpty)
    }

    @Test("a stop leaves the slots that wait for their turn alone, and awaits the answers owed")
    func stopInBetween() {
        var bench = Bench(GroupPolicy(name: "web", workers: 40))
        bench.tell(.begin)
        bench.tell(.stop)
        for slot in 1...32 {
            #expect(!bench.supervision.isFinished)
            bench.start(life(slot, 1))
            #expect(starts(bench).isEmpty)
            #expect(bench.actions.contains(.signal(life(slot, 1))))
            bench.exit(life(slot, 1), 0)
            bench.tell(life(slot, 1), .removed)
        }
        #expect(bench.actions.last == .finish(.stopped))
    }

    @Test("begins once")
    func beginsOnce() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        #expect(bench.actions == [.report(.supervisorStarted), .start(life(1, 1))])
        bench.tell(.begin)
        #expect(bench.actions.isEmpty)
    }

    @Test("at most two incarnations of a slot drain beside each other")
    func drainingPredecessors() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1, memoryThreshold: 1 << 20))
        let above = Incarnation.Input.measured(MemoryMeasurement(current: 2 << 20, unreclaimable: 2 << 20))
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.tell(life(1, 1), above, after: .seconds(1))
        #expect(starts(bench) == [life(1, 2)])
        bench.start(life(1, 2))
        bench.tell(life(1, 2), above, after: .seconds(1))
        #expect(starts(bench).isEmpty)
        bench.exit(life(1, 2), 0)
        #expect(starts(bench) == [life(1, 3)])
    }
}
