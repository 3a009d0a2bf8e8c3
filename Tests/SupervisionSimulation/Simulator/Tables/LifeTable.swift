import Supervision

/// The life of an incarnation as a table: what each phase makes of all that can come, found by doing it.
package enum LifeTable {
    package static let headings = [
        "What comes", "When", "Next phase", "Actions, in order", "What the slot learns",
    ]

    /// What can come, by the name it has in the table; inputs are split where they lead to different things.
    enum Stimulus {
        case input(Incarnation.Input)
        case demand(Incarnation.Demand)
    }

    /// One way to be in a phase.
    struct Situation {
        let phase: Incarnation.Phase
        /// Empty for the usual one; the others are in the table only where they differ from it.
        var name = ""
        var policy = usual
        var isStopping = false
        let path: [Stimulus]
    }

    private static let mebibyte: UInt64 = 1 << 20
    private static let usual = GroupPolicy(
        name: "web", workers: 1, conduct: .sergeant, readiness: .whenReported, startTimeout: .seconds(60),
        memoryThreshold: 100 * mebibyte, memoryMax: 200 * mebibyte)

    private static func changed(_ change: (inout GroupPolicy) -> Void) -> GroupPolicy {
        var policy = usual
        change(&policy)
        return policy
    }

    // MARK: What can come

    static let stimuli: [(name: String, stimulus: Stimulus)] = [
        ("started", .input(.started(pid: 7))),
        ("adopted", .input(.adopted(pid: 7, since: then))),
        ("start failed", .input(.startFailed(StartFailure(isPermanent: false, sentence: "")))),
        ("start failed for good", .input(.startFailed(StartFailure(isPermanent: true, sentence: "")))),
        ("ready", .input(.ready)),
        ("alive", .input(.alive)),
        ("watchdog interval", .input(.watchdogInterval(.seconds(20)))),
        ("watchdog interval 0", .input(.watchdogInterval(.zero))),
        ("broken", .input(.broken)),
        ("extended", .input(.extended(.seconds(90)))),
        ("leaving", .input(.leaving)),
        ("counters as before", .input(.counters(MemoryCounters()))),
        ("counters risen", .input(.counters(MemoryCounters(high: 1, max: 1)))),
        ("measured far below", measured(20, 10)),
        ("measured below", measured(100, 10)),
        ("measured above", measured(120, 100)),
        ("counters with oom_kill", .input(.counters(MemoryCounters(oom: 1, oomKill: 1)))),
        ("pressed", .input(.pressed)),
        ("exit 0", exit(.code(0))),
        ("exit 1", exit(.code(1))),
        ("signal", exit(.signal(11, coreDumped: true))),
        ("signal and oom_kill", exit(.signal(9, coreDumped: false), oom: 1)),
        ("exit 1 and oom_kill", exit(.code(1), oom: 1)),
        ("exit 0 and oom_kill", exit(.code(0), oom: 1)),
        ("report 0", exit(.signal(9, coreDumped: false), report: 0)),
        ("report 1", exit(.code(1), report: 1)),
        ("report 2", exit(.code(2), report: 2)),
        ("report 3", exit(.code(3), report: 3)),
        ("report 4", exit(.code(4), report: 4)),
        ("report 5", exit(.code(5), report: 5)),
        ("report 6", exit(.code(6), report: 6)),
        ("report 7", exit(.code(7), report: 7)),
        ("emptied", .input(.emptied)),
        ("removed", .input(.removed)),
        ("removal busy", .input(.removalFailed(errno: 16))),
        ("removal failed", .input(.removalFailed(errno: 5))),
        ("removal refused", .input(.removalFailed(errno: 30))),
        ("stop", .demand(.stop(.restart))),
        ("kill", .demand(.kill(.shutdown))),
        ("deadline", .demand(.deadline)),
        ("look", .demand(.look)),
        ("lifetime over", .demand(.over(.lifetime))),
        ("excess over", .demand(.over(.excess))),
        ("oom settled", .demand(.over(.oom))),
        ("yield", .demand(.yield(.restart))),
        ("limits changed", .demand(.limit)),
        ("lifetime changed", .demand(.live(nil))),
    ]

    private static func measured(_ current: UInt64, _ unreclaimable: UInt64) -> Stimulus {
        .input(
            .measured(
                MemoryMeasurement(current: current * mebibyte, unreclaimable: unreclaimable * mebibyte)))
    }

    private static func exit(_ status: ExitStatus, report: Int32? = nil, oom: UInt64 = 0) -> Stimulus {
        .input(
            .exited(
                Exit(
                    status: status, report: report.map { WorkerReport(returnCode: $0) },
                    memory: MemoryCounters(oom: oom, oomKill: oom))))
    }

    // MARK: The ways to be in a phase

    static let situations: [Situation] = {
        let start: [Stimulus] = [.input(.started(pid: 7))]
        let ready = start + [.input(.ready)]
        let stop: [Stimulus] = [.demand(.stop(.restart))]
        let kill: [Stimulus] = [.demand(.kill(.shutdown))]
        let retries = [Stimulus](repeating: .demand(.deadline), count: 3)
        let busy: [Stimulus] = [.input(.removalFailed(errno: 16))]
        let exited = ready + [exit(.code(0))]
        let alarm: [Stimulus] = [.input(.counters(MemoryCounters(high: 1)))]
        let slid = ready + [measured(100, 10)]
        let offWire = ready + [measured(195, 10)]
        let failures = [Stimulus](
            repeating: .input(.removalFailed(errno: 5)), count: Tempo.stuckAttempts - 1)
        return [
            Situation(phase: .starting, path: []),
            Situation(
                phase: .starting, name: "ready when started", policy: changed { $0.readiness = .whenStarted },
                path: []),
            Situation(
                phase: .starting, name: "no start timeout", policy: changed { $0.startTimeout = nil },
                path: []),
            Situation(phase: .aborting, path: stop),
            Situation(
                phase: .aborting, name: "no memory limit", policy: changed { $0.memoryThreshold = nil },
                path: stop),
            Situation(phase: .aborting, name: "killed once", path: stop + kill),
            Situation(phase: .aborting, name: "killed 4 times", path: stop + kill + retries),
            Situation(
                phase: .aborting, name: "killed 4 times, all stops", isStopping: true,
                path: stop + kill + retries),
            Situation(phase: .up, path: start),
            Situation(
                phase: .up, name: "no memory limit", policy: changed { $0.memoryThreshold = nil }, path: start
            ),
            Situation(phase: .up, name: "alarmed", path: start + alarm),
            Situation(phase: .ready, path: ready),
            Situation(
                phase: .ready, name: "no memory limit", policy: changed { $0.memoryThreshold = nil },
                path: ready),
            Situation(phase: .ready, name: "alarmed", path: ready + alarm),
            Situation(phase: .ready, name: "wire slid", path: slid),
            Situation(phase: .ready, name: "wire at the hard limit", path: offWire),
            Situation(
                phase: .ready, name: "above the hard limit",
                policy: changed { $0.memoryMax = 110 * mebibyte }, path: ready),
            Situation(
                phase: .ready, name: "with a watchdog", policy: changed { $0.watchdog = .seconds(30) },
                path: ready),
            Situation(
                phase: .starting, name: "limited life", policy: changed { $0.maximumLifetime = .seconds(60) },
                path: []),
            Situation(
                phase: .up, name: "limited life", policy: changed { $0.maximumLifetime = .seconds(60) },
                path: start),
            Situation(
                phase: .ready, name: "limited life", policy: changed { $0.maximumLifetime = .seconds(60) },
                path: ready),
            Situation(phase: .starting, name: "other limits", path: [.demand(.limit)]),
            Situation(phase: .up, name: "awaits limits", path: start + [.demand(.limit)]),
            Situation(phase: .ready, name: "awaits limits", path: ready + [.demand(.limit)]),
            Situation(
                phase: .ready, name: "awaits limits, none",
                policy: changed { ($0.memoryThreshold, $0.memoryMax) = (nil, nil) },
                path: ready + [.demand(.limit)]),
            Situation(
                phase: .ready, name: "awaits limits, below its use",
                policy: changed { $0.memoryMax = 110 * mebibyte }, path: ready + [.demand(.limit)]),
            Situation(
                phase: .ready, name: "may be above for 5 s",
                policy: changed { $0.memorySustain = .seconds(5) },
                path: ready),
            Situation(
                phase: .ready, name: "above, may be so for 5 s",
                policy: changed { $0.memorySustain = .seconds(5) }, path: ready + [measured(120, 100)]),
            Situation(
                phase: .ready, name: "above for 5 s", policy: changed { $0.memorySustain = .seconds(5) },
                path: ready + [measured(120, 100), .demand(.over(.excess))]),
            Situation(
                phase: .ready, name: "OOM kills are borne", policy: changed { $0.oomPolicy = .continue },
                path: ready),
            Situation(
                phase: .ready, name: "after an OOM kill that is borne",
                policy: changed { $0.oomPolicy = .continue },
                path: ready + [.input(.counters(MemoryCounters(oom: 1, oomKill: 1)))]),
            Situation(
                phase: .ready, name: "after an OOM kill that was told",
                policy: changed { $0.oomPolicy = .continue },
                path: ready + [
                    .input(.counters(MemoryCounters(oom: 1, oomKill: 1))), .demand(.over(.oom)),
                ]),
            Situation(phase: .ready, name: "yields", path: ready + [.demand(.yield(.restart))]),
            Situation(phase: .leaving, path: ready + [.input(.leaving)]),
            Situation(phase: .draining, path: ready + stop),
            Situation(phase: .killing, path: ready + stop + kill),
            Situation(phase: .killing, name: "killed 4 times", path: ready + stop + kill + retries),
            Situation(
                phase: .killing, name: "killed 4 times, all stops", isStopping: true,
                path: ready + stop + kill + retries),
            Situation(phase: .lingering, path: exited + busy),
            Situation(phase: .purging, path: exited + busy + kill),
            Situation(phase: .purging, name: "killed 4 times", path: exited + busy + kill + retries),
            Situation(
                phase: .purging, name: "killed 4 times, all stops", isStopping: true,
                path: exited + busy + kill + retries),
            Situation(phase: .removing, path: exited),
            Situation(
                phase: .removing, name: "no grace left", path: ready + stop + kill + [exit(.code(0))]),
            Situation(phase: .removing, name: "all stops", isStopping: true, path: exited),
            Situation(phase: .removing, name: "failed once", path: exited + failures.prefix(1)),
            Situation(phase: .removing, name: "failed 4 times", path: exited + failures),
            Situation(
                phase: .removing, name: "failed 4 times, all stops", isStopping: true, path: exited + failures
            ),
            Situation(phase: .gone, path: exited + [.input(.removed)]),
        ]
    }()

    // MARK: What becomes of it

    private static let id = IncarnationID(group: 0, slot: 1, number: 1)
    private static let then = Instant(nanoseconds: 1_000_000_000)

    /// How many phases there are, and how many things that can come.
    package static var phases: Int { Incarnation.Phase.allCases.count }
    package static var stimulusCount: Int { stimuli.count }

    /// How many pairs the usual situations give: one for each phase and each thing that can come.
    package static var usualPairs: Int {
        Set(rows().filter(\.when.isEmpty).map(\.pair)).count
    }

    /// Every pair, found by doing it; pairs of another situation only where it differs from the usual one.
    package static func rows() -> [TableRow] {
        var usual: [String: TableRow] = [:]
        return situations.flatMap { situation -> [TableRow] in
            stimuli.compactMap { name, stimulus in
                let row = row(situation, name, stimulus)
                let key = "\(situation.phase.rawValue) \(name)"
                if situation.name.isEmpty {
                    usual[key] = row
                    return row
                }
                return usual[key]?.cells == row.cells ? nil : row
            }
        }
    }

    private static func row(_ situation: Situation, _ name: String, _ stimulus: Stimulus) -> TableRow {
        var random = SplitMix64(seed: 1)
        var incarnation = Incarnation(
            id: id, policy: situation.policy, predecessor: nil, random: &random)
        for step in situation.path { _ = take(step, &incarnation, situation) }
        guard incarnation.phase == situation.phase else {
            return TableRow(
                section: situation.phase.rawValue, what: name, when: situation.name,
                cells: ["the path led to \(incarnation.phase.rawValue)", "", ""])
        }
        let before = incarnation
        let (actions, consequence) = take(stimulus, &incarnation, situation)
        let next = before == incarnation && actions.isEmpty ? "" : incarnation.phase.rawValue
        return TableRow(
            section: situation.phase.rawValue, what: name, when: situation.name,
            cells: [
                next, actions.map(Self.name).joined(separator: ", "),
                consequence.map { Self.name($0, before.cause, incarnation) } ?? "",
            ])
    }

    private static func take(
        _ stimulus: Stimulus, _ incarnation: inout Incarnation, _ situation: Situation
    ) -> ([Action], Incarnation.Consequence?) {
        var context = Context(now: then, policy: situation.policy, isStopping: situation.isStopping)
        let consequence =
            switch stimulus {
            case .input(let input): incarnation.handle(input, &context)
            case .demand(let demand): incarnation.handle(demand, &context)
            }
        return (context.actions, consequence)
    }

    // MARK: Words

    private static func name(
        _ consequence: Incarnation.Consequence, _ cause: Reason?, _ incarnation: Incarnation
    ) -> String {
        switch consequence {
        case .running: "running"
        case .ready: "ready"
        case .leaving(let reason): "leaving: \(name(reason))"
        case .expired: "expired"
        case .yielding: "yielding: as demanded"
        case .ended(let reason) where cause == reason:
            "ended: the cause" + (incarnation.cannotRun ? ", cannot run" : "")
        case .ended(let reason): "ended: \(name(reason))" + (incarnation.cannotRun ? ", cannot run" : "")
        case .gone: "gone"
        }
    }

    /// The reasons that are in the demands themselves stand for any.
    private static func name(_ reason: Reason) -> String {
        reason == .restart || reason == .shutdown ? "as demanded" : reason.rawValue
    }

    static func name(_ action: Action) -> String {
        switch action {
        case .start: "start"
        case .signal: "signal"
        case .abort: "abort"
        case .signalLeftovers: "signal leftovers"
        case .kill: "kill"
        case .watchForEmptiness: "watch for emptiness"
        case .measureMemory: "measure"
        case .measureGroup: "measure group"
        case .lowerMemoryMax: "lower max"
        case .setMemoryHigh(_, nil): "lift high"
        case .setMemoryHigh(_, .some): "slide high"
        case .setMemoryMax: "bound max"
        case .observeMemoryEvents(_, let observed): observed ? "hear events" : "shut events off"
        case .remove: "remove"
        case .setTimer(.span(_, let span), _): "timer \(span.rawValue)"
        case .cancelTimer(.span(_, let span)): "cancel \(span.rawValue)"
        case .setTimer(_, let instant): "timer \(name(instant - then))"
        case .cancelTimer: "cancel timer"
        case .report(let occurrence): "tell \(name(occurrence))"
        case .finish: "finish"
        }
    }

    private static func name(_ delay: Duration) -> String {
        switch delay {
        case usual.stopTimeout: "grace"
        case usual.stopTimeout + Tempo.throttleAllowance: "grace + 2 s"
        case usual.startTimeout: "start timeout"
        case Tempo.killRetry: "2 s"
        case .seconds(20), .seconds(30): "watchdog"
        case .seconds(90): "extension"
        default: "\(delay)"
        }
    }

    static func name(_ occurrence: Occurrence) -> String {
        switch occurrence {
        case .workerStarted: "started"
        case .workerAdopted: "adopted"
        case .workerReady: "ready"
        case .workerStopping: "stopping"
        case .workerYielding: "yielding"
        case .workerMemoryExcess: "memory excess"
        case .workerMemoryPressure: "memory pressure"
        case .workerMemoryAlarm: "memory alarm"
        case .workerMemoryLimit: "memory limit"
        case .workerOOM: "oom"
        case .workerLeftovers: "leftovers"
        case .workerExited: "exited"
        case .workerStuck: "stuck"
        case .workerLeaving: "leaving"
        case .workerAccounted: "accounted"
        case .workerWatchdog: "watchdog"
        case .workerStatus: "status"
        case .workerPidsLimit: "pids limit"
        case .workerBackoff: "back-off"
        case .workerPaced: "paced"
        case .workerNotReplaced: "not replaced"
        case .supervisorStarted, .supervisorReady, .supervisorStopping, .supervisorStopped, .groupFailed,
            .groupScaled, .rollStarted, .rollEnded, .hostTrouble, .hostNotice, .supervisorReloading,
            .supervisorUpgraded, .supervisorUpgradeRefused,
            .supervisorReloaded, .supervisorBroken:
            "\(occurrence)"
        }
    }
}
