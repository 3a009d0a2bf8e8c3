import Supervision
import SupervisionSimulation
import Testing

@Suite("A group that fails")
struct IntensityTests {
    private let slot = TimerID.slot(SlotID(group: 0, slot: 1))

    private func policy(_ maximum: Int) -> GroupPolicy {
        GroupPolicy(
            name: "web", workers: 1, backOffMaximum: .milliseconds(100),
            intensity: .init(maximumFailures: maximum, window: .seconds(10)))
    }

    private func failed(_ bench: Bench) -> Occurrence.GroupFailure? {
        for case .groupFailed(_, let failure) in bench.occurrences { return failure }
        return nil
    }

    @Test("goes on with as many failures as allowed, and fails with one more", arguments: [0, 1, 5])
    func counts(_ maximum: Int) {
        var bench = Bench(policy(maximum))
        bench.tell(.begin)
        for number in 1...(maximum + 1) {
            #expect(failed(bench) == nil)
            bench.start(life(1, number))
            bench.exit(life(1, number), 1)
            if number <= maximum { bench.fire(slot) }
        }
        #expect(failed(bench) == .tooManyFailures(count: maximum + 1, window: .seconds(10)))
        #expect(bench.occurrences.contains(.supervisorStopping(.failure)))
        for number in 1...(maximum + 1) { bench.tell(life(1, number), .removed) }
        #expect(bench.actions.last == .finish(.failed))
    }

    @Test("forgets failures older than the window")
    func forgets() {
        var bench = Bench(policy(2))
        bench.tell(.begin)
        for number in 1...20 {
            bench.start(life(1, number))
            bench.exit(life(1, number), 1, after: .milliseconds(5001))
            #expect(failed(bench) == nil)
            bench.fire(slot)
        }
    }

    @Test("does not count success, recycling, or the failures of another group")
    func countsOnlyItsOwn() {
        var other = policy(100)
        other.name = "other"
        var own = policy(0)
        own.memoryThreshold = 1 << 20
        var bench = Bench(own, other)
        bench.tell(.begin)
        bench.start(life(1, 1))
        bench.tell(life(1, 1), .measured(MemoryMeasurement(current: 2 << 20, unreclaimable: 2 << 20)))
        #expect(failed(bench) == nil)
        bench.tell(.timer(slot), after: .seconds(1))
        bench.start(life(1, 2))
        bench.exit(life(1, 2), 0)
        #expect(failed(bench) == nil)
        let foreign = IncarnationID(group: 1, slot: 1, number: 1)
        bench.start(foreign)
        bench.exit(foreign, 1)
        #expect(failed(bench) == nil)
        bench.tell(.timer(slot), after: .seconds(1))
        bench.start(life(1, 3))
        bench.exit(life(1, 3), 1)
        #expect(failed(bench) == .tooManyFailures(count: 1, window: .seconds(10)))
    }

    @Test("without a limit never gives up")
    func endless() {
        var bench = Bench(GroupPolicy(name: "web", workers: 1))
        bench.tell(.begin)
        for number in 1...500 {
            bench.start(life(1, number))
            bench.exit(life(1, number), 1)
            #expect(failed(bench) == nil)
            bench.fire(slot)
        }
    }

    // MARK: Workers that cannot run

    static let fatal: [Incarnation.Input] = [
        .startFailed(StartFailure(isPermanent: true, sentence: "no such program")),
        .exited(Exit(status: .code(1), report: WorkerReport(returnCode: nil))),
        .exited(Exit(status: .code(2), report: WorkerReport(returnCode: 2))),
        .exited(Exit(status: .code(3), report: WorkerReport(returnCode: 3))),
        .exited(Exit(status: .code(7), report: WorkerReport(returnCode: 7))),
    ]

    private func unready(_ workers: Int) -> Bench {
        var bench = Bench(
            GroupPolicy(name: "web", workers: workers, conduct: .sergeant, readiness: .whenReported))
        bench.tell(.begin)
        return bench
    }

    @Test("is fatal at once where the worker cannot run and none was ready", arguments: fatal)
    func cannotRun(_ input: Incarnation.Input) {
        var bench = unready(2)
        if case .exited = input { bench.start(life(2, 1)) }
        bench.tell(life(2, 1), input)
        #expect(failed(bench) == .cannotRun(life(2, 1)))
        #expect(!bench.supervision.isFinished)
        bench.tell(life(2, 1), .removed)
        bench.start(life(1, 1))
        #expect(bench.actions.contains(.signal(life(1, 1))))
        bench.exit(life(1, 1), 0)
        bench.tell(life(1, 1), .removed)
        #expect(bench.actions.last == .finish(.failed))
    }

    @Test("goes on where a worker of it was ready before", arguments: fatal)
    func ranBefore(_ input: Incarnation.Input) {
        var bench = unready(2)
        bench.start(life(1, 1))
        bench.tell(life(1, 1), .ready)
        if case .exited = input { bench.start(life(2, 1)) }
        bench.tell(life(2, 1), input)
        #expect(failed(bench) == nil)
        #expect(bench.delay(of: .slot(SlotID(group: 0, slot: 2))) != nil)
    }

    @Test(
        "goes on after a failure that another try may not meet",
        arguments: [
            .startFailed(StartFailure(isPermanent: false, sentence: "EAGAIN")),
            .exited(Exit(status: .code(2))),
            .exited(Exit(status: .code(1), report: WorkerReport(returnCode: 1))),
            .exited(Exit(status: .code(1), report: WorkerReport(returnCode: 6))),
        ] as [Incarnation.Input])
    func mayRunLater(_ input: Incarnation.Input) {
        var bench = unready(1)
        if case .exited = input { bench.start(life(1, 1)) }
        bench.tell(life(1, 1), input)
        #expect(failed(bench) == nil)
    }

    @Test("stops all when a sergeant worker asks for it")
    func stopRequested() {
        var bench = unready(2)
        bench.start(life(1, 1))
        bench.start(life(2, 1))
        bench.tell(life(1, 1), .exited(Exit(status: .code(5), report: WorkerReport(returnCode: 5))))
        #expect(bench.ends.map(\.reason) == [.stopRequested])
        #expect(bench.occurrences.contains(.supervisorStopping(.worker(life(1, 1)))))
        #expect(bench.actions.contains(.signal(life(2, 1))))
        bench.tell(life(1, 1), .removed)
        bench.exit(life(2, 1), 0)
        bench.tell(life(2, 1), .removed)
        #expect(bench.actions.last == .finish(.stopped))
    }
}
