import Supervision
import SupervisionSimulation
import Testing

@Suite("What a worker says of itself")
struct WordsTests {
    private let timer = TimerID.incarnation(life(1, 1))

    private func running(watchdog: Duration? = nil, ready: Bool = true) -> Bench {
        var bench = Bench(
            GroupPolicy(
                name: "web", workers: 1, readiness: .whenReported, startTimeout: .seconds(5),
                watchdog: watchdog))
        bench.tell(.begin)
        bench.start(life(1, 1))
        if ready { bench.tell(life(1, 1), .ready) }
        return bench
    }

    @Test("a watchdog ping sets no timer; the timer that comes due is set anew for the rest")
    func ping() {
        var bench = running(watchdog: .seconds(10))
        #expect(bench.delay(of: timer) == .seconds(10))
        bench.tell(life(1, 1), .alive, after: .seconds(6))
        #expect(bench.actions == [])
        bench.tell(.timer(timer), after: .seconds(4))
        #expect(bench.actions == [.setTimer(timer, bench.now + .seconds(6))])
    }

    @Test("silence longer than the watchdog brings SIGABRT once, then the grace, then the kill")
    func silence() {
        var bench = running(watchdog: .seconds(10))
        bench.tell(.timer(timer), after: .seconds(10))
        #expect(bench.occurrences.first == .workerWatchdog(life(1, 1), pid: 101, timeout: .seconds(10)))
        #expect(bench.actions.contains(.abort(life(1, 1))))
        #expect(!bench.actions.contains(.signal(life(1, 1))))
        #expect(bench.delay(of: timer) == .seconds(8))
        bench.tell(.timer(timer), after: .seconds(8))
        #expect(bench.actions.first == .kill(life(1, 1)))
        bench.tell(life(1, 1), .exited(Exit(status: .signal(9, coreDumped: false))))
        #expect(bench.ends.map(\.reason) == [.watchdog])
    }

    @Test("a worker may set its watchdog itself, and put it off")
    func interval() {
        var bench = running()
        bench.tell(life(1, 1), .watchdogInterval(.seconds(3)))
        #expect(bench.delay(of: timer) == .seconds(3))
        bench.tell(life(1, 1), .watchdogInterval(.zero))
        #expect(bench.actions == [.cancelTimer(timer)])
    }

    @Test("a worker that says it is broken is believed")
    func broken() {
        var bench = running()
        bench.tell(life(1, 1), .broken)
        #expect(bench.occurrences.first == .workerWatchdog(life(1, 1), pid: 101, timeout: nil))
        #expect(bench.actions.contains(.abort(life(1, 1))))
    }

    @Test("more time for the start is given, and never takes any away")
    func extendedStart() {
        var bench = running(ready: false)
        bench.tell(life(1, 1), .extended(.seconds(2)), after: .seconds(1))
        #expect(bench.actions == [])
        bench.tell(life(1, 1), .extended(.seconds(30)))
        #expect(bench.delay(of: timer) == .seconds(30))
        bench.tell(life(1, 1), .ready)
        bench.tell(life(1, 1), .extended(.seconds(30)))
        #expect(bench.actions == [])
    }

    @Test("after a stop of all more time has an end")
    func extendedStop() {
        var bench = running()
        bench.tell(.stop)
        bench.tell(life(1, 1), .extended(.seconds(3600)), after: .seconds(5))
        #expect(bench.delay(of: timer) == .seconds(55))
        bench.tell(life(1, 1), .extended(.seconds(3600)), after: .seconds(5))
        #expect(bench.actions == [])
    }

    @Test("what was extended before a stop of all is cut to the same end")
    func extendedBefore() {
        var bench = running()
        bench.tell(life(1, 1), .leaving)
        bench.tell(life(1, 1), .extended(.seconds(3600)))
        bench.tell(.stop)
        #expect(bench.delay(of: timer) == Tempo.shutdownExtension)
    }

    @Test(
        "a worker that says it is ending is not ready, gets its grace and no signal, and is replaced when it ended"
    )
    func leaving() {
        var bench = running()
        bench.tell(life(1, 1), .leaving)
        #expect(bench.occurrences == [.workerLeaving(life(1, 1), pid: 101)])
        #expect(bench.supervision.ready == 0)
        #expect(bench.delay(of: timer) == .seconds(8))
        bench.exit(life(1, 1), 0, after: .seconds(2))
        #expect(bench.ends.map(\.reason) == [.finished])
        #expect(bench.actions.contains(.start(life(1, 2))))
    }

    @Test("a worker that says it is ending and does not is killed, and failed")
    func neverLeaves() {
        var bench = running()
        bench.tell(life(1, 1), .leaving)
        bench.tell(.timer(timer), after: .seconds(8))
        #expect(bench.actions.first == .kill(life(1, 1)))
        bench.tell(life(1, 1), .exited(Exit(status: .signal(9, coreDumped: false))))
        #expect(bench.ends.map(\.reason) == [.failed])
    }

    @Test("a stop sends no signal to a worker that is ending already")
    func stopWhileLeaving() {
        var bench = running()
        bench.tell(life(1, 1), .leaving)
        bench.tell(.stop, after: .seconds(1))
        #expect(!bench.actions.contains(.signal(life(1, 1))))
        bench.exit(life(1, 1), 0)
        #expect(bench.ends.map(\.reason) == [.shutdown])
    }
}
