import Supervision
import SupervisionSimulation
import Testing

@Suite("Stopping")
struct StopTests {
    private func timer(_ id: IncarnationID) -> TimerID { .incarnation(id) }

    private func running(_ policy: GroupPolicy = GroupPolicy(name: "web", workers: 1)) -> Bench {
        var bench = Bench(policy)
        bench.tell(.begin)
        bench.start(life(1, 1))
        return bench
    }

    @Test("signals once, kills after the grace, gives up after five kills two seconds apart")
    func neverDies() {
        var bench = running()
        bench.tell(.stop)
        #expect(bench.actions.contains(.signal(life(1, 1))))
        #expect(bench.delay(of: timer(life(1, 1))) == .seconds(8))
        let stoppedAt = bench.now
        for _ in 1...5 {
            bench.fire(timer(life(1, 1)))
            #expect(bench.actions.first == .kill(life(1, 1)))
        }
        #expect(bench.actions.last == .finish(.stopped))
        #expect(bench.ends.map(\.reason) == [.shutdown])
        #expect(bench.now - stoppedAt == .seconds(16))
    }

    @Test("a second request kills at once")
    func secondRequest() {
        var bench = running()
        bench.tell(.stop)
        bench.tell(.kill, after: .seconds(1))
        #expect(bench.actions.first == .kill(life(1, 1)))
        #expect(bench.delay(of: timer(life(1, 1))) == .seconds(2))
    }

    @Test("impatient requests do not count as kills without effect")
    func impatience() {
        var bench = running()
        for _ in 1...10 { bench.tell(.kill, after: .milliseconds(50)) }
        #expect(!bench.supervision.isFinished)
        bench.tell(life(1, 1), .exited(Exit(status: .signal(9, coreDumped: false))))
        #expect(bench.ends.map(\.reason) == [.shutdown])
        for _ in 1...10 { bench.tell(.kill, after: .milliseconds(50)) }
        bench.tell(life(1, 1), .removed)
        #expect(bench.actions.last == .finish(.stopped))
    }

    @Test("impatient requests do not give up what a worker left behind either")
    func impatienceWithLeftovers() {
        var bench = running()
        bench.tell(.kill)
        bench.tell(life(1, 1), .exited(Exit(status: .signal(9, coreDumped: false))))
        bench.tell(life(1, 1), .removalFailed(errno: 16))
        #expect(bench.actions.contains(.kill(life(1, 1))))
        for _ in 1...10 { bench.tell(.kill, after: .milliseconds(50)) }
        #expect(!bench.supervision.isFinished)
    }

    @Test("a worker whose start was being awaited gets no grace after a second request")
    func secondRequestDuringStart() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        bench.tell(.stop)
        #expect(bench.delay(of: timer(life(1, 1))) == .seconds(8))
        bench.tell(.kill)
        #expect(bench.actions.contains(.kill(life(1, 1))))
        for _ in 1...10 { bench.tell(.kill, after: .milliseconds(50)) }
        #expect(!bench.supervision.isFinished)
        bench.start(life(1, 1))
        #expect(bench.actions.contains(.kill(life(1, 1))))
        #expect(!bench.actions.contains(.signal(life(1, 1))))
        #expect(bench.delay(of: timer(life(1, 1))) == .seconds(2))
    }

    @Test("what a worker left behind gets no grace after a second request")
    func secondRequestBeforeLeftovers() {
        var bench = running()
        bench.tell(.stop)
        bench.exit(life(1, 1), 0)
        #expect(bench.actions.contains(.remove(life(1, 1))))
        bench.tell(.kill)
        bench.tell(life(1, 1), .removalFailed(errno: 16))
        #expect(bench.actions.contains(.kill(life(1, 1))))
        #expect(!bench.actions.contains(.signalLeftovers(life(1, 1))))
    }

    @Test("a worker that comes up during the stop is signalled with memory.high lifted")
    func startedDuringStop() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1, memoryThreshold: 1 << 30))
        bench.tell(.begin)
        bench.tell(.stop)
        bench.start(life(1, 1))
        let places = [.setMemoryHigh(life(1, 1), nil), .signal(life(1, 1))].map {
            bench.actions.firstIndex(of: $0)
        }
        #expect(places == places.compactMap(\.self).sorted())
    }

    @Test("a cgroup that may not be removed is given up at the first refusal", arguments: [1, 13, 30])
    func refusedRemoval(errno: Int32) {
        var bench = running()
        bench.tell(.stop)
        bench.exit(life(1, 1), 0)
        bench.tell(life(1, 1), .removalFailed(errno: errno))
        #expect(bench.occurrences.first == .workerStuck(life(1, 1), pid: 101, errno: errno, attempts: 1))
        #expect(bench.actions.last == .finish(.stopped))
    }

    @Test("one that was refused before the stop is given up at the next refusal")
    func refusedRemovalBeforeTheStop() {
        var bench = running()
        bench.exit(life(1, 1), 0, after: .seconds(20))
        bench.tell(life(1, 1), .removalFailed(errno: 30))
        #expect(bench.occurrences.isEmpty)
        #expect(bench.delay(of: timer(life(1, 1))) == .seconds(2))
        bench.start(life(1, 2))
        bench.tell(.stop)
        bench.exit(life(1, 2), 0)
        bench.tell(life(1, 2), .removed)
        bench.tell(.timer(timer(life(1, 1))), after: .seconds(2))
        #expect(bench.actions.contains(.remove(life(1, 1))))
        bench.tell(life(1, 1), .removalFailed(errno: 30))
        #expect(bench.actions.last == .finish(.stopped))
    }

    @Test("before it began, or with nothing left, it finishes at once and only once")
    func nothingToStop() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.stop)
        #expect(bench.actions.last == .finish(.stopped))
        for event in [Event.stop, .kill, .begin, .timer(.wires)] {
            bench.tell(event)
            #expect(bench.actions.isEmpty)
        }
    }
}
