import Supervision
import SupervisionSimulation
import Testing

@Suite("Another policy")
struct ConfigureTests {
    private func running(_ workers: Int) -> Bench {
        var bench = Bench(GroupPolicy(name: "web", workers: workers))
        bench.tell(.begin)
        for slot in 1...workers { bench.start(life(slot, 1)) }
        bench.now = bench.now + .seconds(60)
        return bench
    }

    private func sized(_ workers: Int, rolls: Bool = false) -> Event {
        .configure(group: 0, GroupPolicy(name: "web", workers: workers), rolls: rolls)
    }

    @Test("with more workers starts the new slots only")
    func grows() {
        var bench = running(2)
        bench.tell(sized(4))
        #expect(
            bench.actions == [
                .report(.groupScaled(group: 0, from: 2, to: 4)), .start(life(3, 1)), .start(life(4, 1)),
            ])
        #expect(bench.supervision.group(0)?.desired == 4)
        #expect(bench.supervision.ready == 2)
    }

    @Test("with fewer workers lets the highest slots drain, and replaces none of them")
    func shrinks() {
        var bench = running(3)
        bench.tell(sized(1))
        #expect(bench.actions.contains(.signal(life(2, 1))))
        #expect(bench.actions.contains(.signal(life(3, 1))))
        bench.exit(life(3, 1), 0)
        #expect(bench.ends.map(\.reason) == [.scaleDown])
        bench.tell(life(3, 1), .removed)
        #expect(!bench.actions.contains { if case .start = $0 { true } else { false } })
        #expect(bench.supervision.ready == 1)
    }

    @Test("never uses an identity twice when a group shrinks and grows again")
    func identities() {
        var bench = running(2)
        bench.tell(sized(1))
        bench.tell(sized(2), after: .seconds(1))
        #expect(bench.actions.contains(.start(life(2, 2))))
    }

    @Test("with no workers drains the group, and the supervisor goes on")
    func drains() {
        var bench = running(1)
        bench.tell(sized(0))
        bench.exit(life(1, 1), 0)
        bench.tell(life(1, 1), .removed)
        #expect(!bench.supervision.isFinished)
        bench.tell(.stop)
        #expect(bench.actions.last == .finish(.stopped))
    }

    @Test("of the group after the last adds one; of one beyond does nothing")
    func adds() {
        var bench = running(1)
        bench.tell(.configure(group: 1, GroupPolicy(name: "late", workers: 2), rolls: true))
        let new = (1...2).map { IncarnationID(group: 1, slot: $0, number: 1) }
        #expect(
            bench.actions == [
                .report(.groupScaled(group: 1, from: 0, to: 2)), .start(new[0]), .start(new[1]),
            ])
        #expect(bench.supervision.groupCount == 2)
        for group in [3, -1] {
            bench.tell(.configure(group: group, GroupPolicy(name: "x", workers: 1), rolls: true))
            #expect(bench.actions == [])
        }
    }

    @Test("rolls those that ran under the old one")
    func rolls() {
        var bench = running(2)
        bench.tell(sized(3, rolls: true))
        #expect(bench.occurrences.contains(.rollStarted(group: 0, slots: 2)))
        #expect(bench.actions.contains(.signal(life(1, 1))))
    }

    @Test("leaves a running worker with what it was started for")
    func keepsTerms() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1, readiness: .whenReported))
        bench.tell(.begin)
        bench.tell(.configure(group: 0, GroupPolicy(name: "web", workers: 1), rolls: false))
        bench.start(life(1, 1))
        #expect(bench.supervision.phase(of: life(1, 1)) == .up)
    }

    @Test("while all stops does nothing")
    func stopping() {
        var bench = running(1)
        bench.tell(.stop)
        bench.tell(sized(5))
        #expect(bench.actions == [])
    }
}
