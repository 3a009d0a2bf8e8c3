import SergeantCG
import Testing

@Suite struct ServiceStatuses {
    private let names = Names(groups: [.init(name: "crawl")], root: "/r")
    private let id = IncarnationID(group: 0, slot: 1, number: 1)

    private func exited(_ reason: Reason, code: Int32 = 1) -> Occurrence {
        .workerExited(
            id, pid: 7,
            .init(reason: reason, exit: Exit(status: .code(code)), lifetime: .seconds(1), isLast: false))
    }

    @Test func itCountsWhatHappened() {
        var status = ServiceStatus()
        #expect(status.text(ready: 0, desired: 4) == "starting: 0/4 workers ready")
        status.observe(.supervisorReady, named: names)
        #expect(status.text(ready: 4, desired: 4) == "4/4 workers ready")
        for reason in [Reason.memoryLimit, .lifetime, .oomKilled, .finished, .restart, .scaleDown] {
            status.observe(exited(reason), named: names)
        }
        #expect(status.text(ready: 4, desired: 4) == "4/4 workers ready, 2 recycled, 1 OOM killed")
    }

    /// Why workers are missing stands there only while they are.
    @Test func theLastFailureStandsThereWhileWorkersAreMissing() {
        var status = ServiceStatus()
        status.observe(.supervisorReady, named: names)
        status.observe(exited(.failed, code: 3), named: names)
        let missing = status.text(ready: 3, desired: 4)
        #expect(missing.hasPrefix("3/4 workers ready, 1 failed, last: worker(7) "))
        #expect(missing.hasSuffix("return code: 3"))
        #expect(status.text(ready: 4, desired: 4) == "4/4 workers ready, 1 failed")
    }

    @Test func whyItStopsOutlivesTheStop() {
        var status = ServiceStatus()
        status.observe(
            .groupFailed(group: 0, .tooManyFailures(count: 4, window: .seconds(10))), named: names)
        status.observe(.supervisorStopping(.failure), named: names)
        #expect(
            status.text(ready: 0, desired: 1)
                == "stopping: crawl is given up: 4 failures within 10.00 s")
    }

    @Test func aReloadIsTold() {
        var status = ServiceStatus()
        status.observe(.supervisorReloading, named: names)
        #expect(status.text(ready: 1, desired: 1) == "reloading: 1/1 workers ready")
        status.observe(.supervisorReloaded(fault: "a.yaml:1:2: no"), named: names)
        #expect(status.text(ready: 1, desired: 1) == "1/1 workers ready, reload failed: a.yaml:1:2: no")
        status.observe(.supervisorReloaded(fault: nil), named: names)
        #expect(status.text(ready: 1, desired: 1) == "1/1 workers ready")
    }

    /// A line break would end the assignment (sd_notify(3)).
    @Test func itIsOneLine() {
        #expect(ServiceStatus.line("a\nREADY=1\tb\u{7F}") == "a READY=1 b ")
        #expect(ServiceStatus.line(String(repeating: "x", count: 1000)).count == 240)
    }

    @Test(
        arguments: [
            ("3000000", nil, Duration.milliseconds(1500)), ("3000000", "77", .milliseconds(1500)),
            ("3000000", "78", nil), ("0", nil, nil), ("-5", nil, nil), ("x", nil, nil), (nil, "77", nil),
        ] as [(String?, String?, Duration?)])
    func theWatchdogIsMeantForUs(microseconds: String?, pid: String?, interval: Duration?) {
        #expect(
            ServiceNotification.watchdogInterval(microseconds: microseconds, pid: pid, own: 77) == interval)
    }
}
