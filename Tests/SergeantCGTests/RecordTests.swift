import SergeantCG
import Testing

/// Where upstream has words for something, ours contains them: people grep for them.
@Suite struct Records {
    private let names = Names(
        groups: [.init(name: "crawl", workerModule: "app.crawl", workerClass: "Crawl")], root: "/r")
    private let id = IncarnationID(group: 0, slot: 2, number: 5)

    private func ended(
        _ reason: Reason, _ exit: Exit = Exit(status: .code(0)), isLast: Bool = false
    ) -> Record {
        Record(
            .workerExited(
                id, pid: 77,
                Occurrence.End(reason: reason, exit: exit, lifetime: .milliseconds(1500), isLast: isLast)),
            names: names)
    }

    private func field(_ record: Record, _ name: String) -> Record.Value? {
        let found = record.fields.filter { $0.name == name }
        #expect(found.count <= 1, "\(name) stands twice")
        return found.first?.value
    }

    @Test(
        arguments: [
            (0, .finished, "info", "worker(77) has finished successfully"),
            (1, .failed, "critical", "worker(77) execution has failed with the following exception: E('x')"),
            (2, .failed, "critical", "could not load worker module: app.crawl"),
            (3, .failed, "critical", "could not find worker class: app.crawl.Crawl"),
            (4, .respawnRequested, "info", "worker(77) has requested to respawn"),
            (5, .stopRequested, "info", "worker(77) has requested to stop"),
            (6, .failed, "critical", "worker(77) internal execution has failed"),
            (
                7, .failed, "critical",
                "worker(77) importing the worker module has raised an exception: E('x')"
            ),
        ] as [(Int32, Reason, String, String)])
    func upstreamsReturnCodes(code: Int32, reason: Reason, level: String, words: String) {
        let record = ended(
            reason,
            Exit(status: .code(code), report: WorkerReport(returnCode: code, exception: "E('x')")))
        #expect(record.message.contains(words), "\(record.message)")
        #expect(record.level.name == level)
        #expect(field(record, "exit_code") == .integer(Int64(code)))
        #expect(field(record, "exception") == .text("E('x')"))
    }

    /// The report's return code, not the process's own end, which may be a kill for its unkillable threads.
    @Test func theReportOverridesTheStatus() {
        let report = WorkerReport(returnCode: 0, unkillableThreads: ["t1", "t2"])
        let record = ended(.finished, Exit(status: .signal(9, coreDumped: false), report: report))
        #expect(field(record, "exit_code") == .integer(0))
        #expect(field(record, "unkillable_threads") == .texts(["t1", "t2"]))
    }

    @Test func otherEnds() {
        let crashed = ended(.crashed, Exit(status: .signal(11, coreDumped: true)))
        #expect(crashed.message.contains("worker(77) execution has been interrupted with return code: -11"))
        #expect(field(crashed, "signal") == .integer(11) && field(crashed, "exit_code") == nil)
        let failed = ended(.failed, Exit(status: .code(3)))
        #expect(failed.message.contains("worker(77) execution has been interrupted with return code: 3"))
        #expect(field(failed, "exit_code") == .integer(3) && field(failed, "signal") == nil)
        #expect(ended(.memoryLimit).message.contains("exceeded the maximum memory limit"))
        let last = ended(.shutdown, isLast: true)
        #expect(last.message.contains("not going to respawn since the stop process has started"))
        #expect(ended(.stopRequested).message.contains("has stopped"))
    }

    /// Every reason has words, its own name in the fields, and the life time.
    @Test(arguments: Reason.allCases) func everyReason(reason: Reason) {
        let record = ended(reason, Exit(status: .signal(9, coreDumped: false)))
        #expect(record.event == "worker_exited")
        #expect(!record.message.isEmpty)
        #expect(field(record, "reason") == .text(reason.rawValue))
        #expect(field(record, "lifetime_usec") == .integer(1_500_000))
        #expect(field(record, "worker") == .text("crawl-2"))
        #expect(field(record, "group") == .text("crawl"))
        #expect(field(record, "slot") == .integer(2))
        #expect(field(record, "incarnation") == .integer(5))
        #expect(field(record, "pid") == .integer(77))
        #expect(record.level == .critical || reason.weight != .failure || reason != .crashed)
    }

    @Test(
        arguments: [
            (
                .workerStarted(IncarnationID(group: 0, slot: 1, number: 1), pid: 5, replaces: nil),
                "spawned a new worker at pid: 5"
            ),
            (
                .workerStarted(IncarnationID(group: 0, slot: 1, number: 2), pid: 6, replaces: 5),
                "worker(5) was respawned as worker(6)"
            ),
            (
                .workerMemoryLimit(
                    IncarnationID(group: 0, slot: 1, number: 1), pid: 5,
                    MemoryMeasurement(current: 9, unreclaimable: 8), limit: 7),
                "worker(5) exceeded the maximum memory limit: 8"
            ),
            (.supervisorStopped(.stopped), "no more workers to supervise"),
            (.supervisorStopped(.stopped), "exiting..."),
            (.supervisorStopping(.request), "triggering a stopping process"),
        ] as [(Occurrence, String)])
    func upstreamsOtherWords(occurrence: Occurrence, words: String) {
        #expect(Record(occurrence, names: names).message.contains(words))
    }

    @Test func aStartTellsTheCgroup() {
        let record = Record(.workerStarted(id, pid: 77, replaces: nil), names: names)
        #expect(field(record, "cgroup") == .text("/r/crawl/2.5"))
        #expect(record.event == "worker_started")
    }

    @Test func aBackOffTellsTheDelay() {
        let record = Record(.workerBackoff(id.slot, delay: .milliseconds(1250), failures: 4), names: names)
        #expect(field(record, "delay_usec") == .integer(1_250_000))
        #expect(field(record, "failures") == .integer(4))
        #expect(record.message.contains("1.25 s after 4 failures"))
    }

    @Test func anOOMTellsWhose() {
        let record = Record(.workerOOM(id, pid: 77, kills: 3, .ancestor, mainKilled: true), names: names)
        #expect(field(record, "oom_kills") == .unsigned(3))
        #expect(field(record, "oom_scope") == .text("ancestor"))
    }

    @Test(
        arguments: [
            (
                30, 1,
                "/r/crawl/2.5: its cgroup cannot be removed: Read-only file system (EROFS), 1 attempt was made"
            ),
            (16, 5, "its cgroup cannot be removed: Device or resource busy (EBUSY), 5 attempts were made"),
            (9999, 5, "its cgroup cannot be removed: unknown error (errno 9999), 5 attempts were made"),
            (0, 5, "processes of its cgroup do not die of SIGKILL, 5 attempts were made"),
        ] as [(Int32, Int, String)])
    func whatIsLeftIsNamed(errno: Int32, attempts: Int, words: String) {
        let record = Record(.workerStuck(id, pid: 77, errno: errno, attempts: attempts), names: names)
        #expect(record.message.contains(words), "\(record.message)")
        #expect(field(record, "cgroup") == .text("/r/crawl/2.5"))
    }

    /// A number that is no group's is said, not a trap.
    @Test func aGroupThatIsNone() {
        let id = IncarnationID(group: 9, slot: 1, number: 1)
        let record = Record(.workerStarted(id, pid: 1, replaces: nil), names: names)
        #expect(field(record, "group") == .text("9"))
    }
}
