import Supervision
import SupervisionSimulation
import Testing

@Suite("Rolling restarts")
struct RollTests {
    private static let reporting = GroupPolicy(
        name: "web", workers: 3, readiness: .whenReported, startTimeout: .seconds(30))

    /// A group whose workers are all ready, long enough ago that no pace is kept.
    private func ready(_ policy: GroupPolicy = Self.reporting) -> Bench {
        var bench = Bench(policy)
        bench.tell(.begin)
        for slot in 1...policy.workers {
            bench.start(life(slot, 1))
            if policy.readiness == .whenReported { bench.tell(life(slot, 1), .ready) }
        }
        bench.now = bench.now + .seconds(60)
        return bench
    }

    private func stopped(_ bench: Bench) -> [IncarnationID] {
        bench.actions.compactMap { if case .signal(let id) = $0 { id } else { nil } }
    }

    @Test("renew one worker at a time, each when the one before is ready")
    func oneByOne() {
        var bench = ready()
        bench.tell(.restart(.group(0)))
        #expect(bench.occurrences.first == .rollStarted(group: 0, slots: 3))
        #expect(stopped(bench) == [life(1, 1)])
        #expect(bench.actions.last == .start(life(1, 2)))
        for slot in 1...3 {
            bench.exit(life(slot, 1), 0)
            #expect(bench.ends.map(\.reason) == [.restart])
            bench.start(life(slot, 2))
            #expect(stopped(bench) == [])
            bench.tell(life(slot, 2), .ready)
            #expect(stopped(bench) == (slot < 3 ? [life(slot + 1, 1)] : []))
        }
        #expect(bench.occurrences.last == .rollEnded(group: 0, .completed))
    }

    @Test("let a worker that is ready when started run for a while before the next")
    func settling() {
        var bench = ready(GroupPolicy(name: "web", workers: 2))
        bench.tell(.restart(.all))
        bench.start(life(1, 2))
        #expect(stopped(bench) == [])
        #expect(bench.delay(of: .roll(group: 0)) == Tempo.rollSettling)
        bench.fire(.roll(group: 0))
        #expect(stopped(bench) == [life(2, 1)])
        bench.start(life(2, 2))
        bench.fire(.roll(group: 0))
        #expect(bench.occurrences == [.rollEnded(group: 0, .completed)])
    }

    @Test("set no timer to a time that is over: one that is due comes by itself")
    func overdue() {
        var bench = ready(
            GroupPolicy(name: "web", workers: 3, maximumUnavailable: 2))
        bench.tell(.restart(.group(0)))
        bench.start(life(1, 2))
        bench.start(life(2, 2), after: .milliseconds(1))
        // Both have run long enough, and the timer of the first is on its way: it is renewed once more.
        bench.tell(
            .restart(.slot(SlotID(group: 0, slot: 1))), after: Tempo.rollSettling + .milliseconds(1))
        #expect(stopped(bench) == [life(1, 2)])
        #expect(bench.delay(of: .roll(group: 0)) == nil)
        bench.tell(.timer(.roll(group: 0)))
        #expect(stopped(bench) == [life(3, 1)])
    }

    @Test("renew as many at a time as may be missing")
    func unavailable() {
        var policy = Self.reporting
        policy.maximumUnavailable = 2
        var bench = ready(policy)
        bench.tell(.restart(.group(0)))
        #expect(stopped(bench) == [life(1, 1), life(2, 1)])
    }

    @Test(
        "renew as many at a time as was asked for, whatever the policy says, and who joins later changes it")
    func unavailableAsAsked() {
        var policy = Self.reporting
        policy.maximumUnavailable = 2
        var bench = ready(policy)
        bench.tell(.restart(.group(0), maximumUnavailable: 1))
        #expect(stopped(bench) == [life(1, 1)])
        bench.tell(.restart(.slot(SlotID(group: 0, slot: 3)), maximumUnavailable: 3))
        #expect(stopped(bench) == [life(2, 1), life(3, 1)])
    }

    @Test("end at the first replacement that fails before it is ready; the others stay")
    func failure() {
        var bench = ready()
        bench.tell(.restart(.group(0)))
        bench.start(life(1, 2))
        bench.exit(life(1, 2), 1)
        #expect(bench.occurrences.contains(.rollEnded(group: 0, .failed(life(1, 2), .failed))))
        #expect(bench.supervision.phase(of: life(2, 1)) == .ready)
        #expect(bench.supervision.group(0)?.slotsToRoll == nil)
        bench.fire(.slot(SlotID(group: 0, slot: 1)))
        bench.start(life(1, 3))
        bench.tell(life(1, 3), .ready)
        #expect(stopped(bench) == [])
    }

    @Test("end at a replacement that is not ready in time")
    func startTimeout() {
        var bench = ready()
        bench.tell(.restart(.group(0)))
        bench.start(life(1, 2))
        bench.fire(.incarnation(life(1, 2)))
        #expect(bench.occurrences.contains(.rollEnded(group: 0, .failed(life(1, 2), .startTimeout))))
    }

    @Test("end with a stop")
    func stop() {
        var bench = ready()
        bench.tell(.restart(.group(0)))
        bench.tell(.stop)
        #expect(bench.occurrences.contains(.rollEnded(group: 0, .stopped)))
        #expect(stopped(bench) == [life(2, 1), life(3, 1)])
        bench.tell(.restart(.group(0)))
        #expect(bench.actions == [])
    }

    @Test("are joined by a second request: what was renewed already is renewed again")
    func join() {
        var bench = ready()
        bench.tell(.restart(.group(0)))
        bench.start(life(1, 2))
        bench.tell(life(1, 2), .ready)
        bench.exit(life(1, 1), 0)
        bench.start(life(2, 2))
        bench.exit(life(2, 1), 0)
        bench.tell(.restart(.group(0)), after: .seconds(5))
        // The second slot is without a ready worker as it is: it is renewed at once.
        #expect(stopped(bench) == [life(2, 2)])
        #expect(bench.occurrences.contains { if case .rollStarted = $0 { true } else { false } } == false)
        bench.start(life(2, 3))
        bench.tell(life(2, 3), .ready)
        #expect(stopped(bench) == [life(3, 1)])
        bench.start(life(3, 2))
        bench.tell(life(3, 2), .ready)
        #expect(stopped(bench) == [life(1, 2)])
        bench.start(life(1, 3))
        bench.tell(life(1, 3), .ready)
        #expect(bench.occurrences.last == .rollEnded(group: 0, .completed))
    }

    @Test("begin with those that do not work, and cut their back-off short")
    func unreadyFirst() {
        var bench = ready()
        bench.exit(life(3, 1), 1)
        bench.now = bench.now + .seconds(1)
        bench.start(life(3, 2))
        bench.exit(life(3, 2), 1)
        #expect(bench.supervision.view(of: SlotID(group: 0, slot: 3))?.startsAt != nil)
        bench.tell(.restart(.group(0)), after: .milliseconds(150))
        #expect(stopped(bench) == [])
        #expect(bench.actions.contains(.cancelTimer(.slot(SlotID(group: 0, slot: 3)))))
        #expect(bench.actions.contains(.start(life(3, 3))))
    }

    @Test("of one slot touch no other")
    func oneSlot() {
        var bench = ready()
        bench.tell(.restart(.slot(SlotID(group: 0, slot: 2))))
        #expect(stopped(bench) == [life(2, 1)])
        bench.start(life(2, 2))
        bench.tell(life(2, 2), .ready)
        #expect(bench.occurrences.last == .rollEnded(group: 0, .completed))
    }

    @Test(
        "of what is not there do nothing",
        arguments: [
            .group(1), .group(-1), .slot(SlotID(group: 0, slot: 4)), .slot(SlotID(group: 0, slot: 0)),
            .slot(SlotID(group: 5, slot: 1)),
        ] as [Restart])
    func unknown(_ restart: Restart) {
        var bench = ready()
        bench.tell(.restart(restart))
        #expect(bench.actions == [])
    }
}
