import Supervision

/// How much was played, by kind.
package struct Score: Sendable {
    package var events = 0
    package var histories = 0
    private var eventCounts = [Int](repeating: 0, count: EventKind.allCases.count)
    private var actionCounts = [Int](repeating: 0, count: ActionKind.allCases.count)

    /// How often an incarnation in each phase was told each kind of event.
    private var seen = [Int](repeating: 0, count: Incarnation.Phase.allCases.count)

    /// The pairs of a phase and a kind of event (an input, or its deadline) that never came about.
    package var unseenPairs: [String] {
        zip(Incarnation.Phase.allCases, seen).flatMap { phase, kinds in
            EventKind.allCases.filter { $0.isOfIncarnation && kinds & (1 << $0.rawValue) == 0 }
                .map { "\(phase.rawValue) × \($0)" }
        }
    }

    package var eventKinds: [(String, Int)] {
        zip(EventKind.allCases, eventCounts).map { ("\($0.0)", $0.1) }
    }

    package var actionKinds: [(String, Int)] {
        zip(ActionKind.allCases, actionCounts).map { ("\($0.0)", $0.1) }
    }

    /// Notes in which phase an event of an incarnation finds it.
    mutating func note(_ event: Event, _ supervision: Supervision) {
        switch event {
        case .incarnation(let id, _), .timer(.incarnation(let id)), .timer(.span(let id, _)):
            seen[supervision.phase(of: id).place] |= 1 << EventKind(event).rawValue
        case .begin, .stop, .kill, .timer, .restart, .configure, .groupMeasured: break
        }
    }

    mutating func count(_ event: Event, _ actions: [Action]) {
        events += 1
        eventCounts[EventKind(event).rawValue] += 1
        for action in actions { actionCounts[ActionKind(action).rawValue] += 1 }
    }
}

/// The kinds of event, each input to an incarnation a kind of its own.
private enum EventKind: Int, CaseIterable {
    case begin, stop, kill, timer, restart, configure, groupMeasured
    case started, adopted, startFailed, ready, alive, watchdogInterval, broken, extended, leaving, counters,
        measured, pressed,
        exited, emptied, removed, removalFailed

    var isOfIncarnation: Bool {
        switch self {
        case .begin, .stop, .kill, .restart, .configure, .groupMeasured: false
        default: true
        }
    }

    init(_ event: Event) {
        switch event {
        case .begin: self = .begin
        case .stop: self = .stop
        case .kill: self = .kill
        case .timer: self = .timer
        case .restart: self = .restart
        case .configure: self = .configure
        case .groupMeasured: self = .groupMeasured
        case .incarnation(_, let input): self.init(input)
        }
    }

    private init(_ input: Incarnation.Input) {
        switch input {
        case .started: self = .started
        case .adopted: self = .adopted
        case .startFailed: self = .startFailed
        case .ready: self = .ready
        case .alive: self = .alive
        case .watchdogInterval: self = .watchdogInterval
        case .broken: self = .broken
        case .extended: self = .extended
        case .leaving: self = .leaving
        case .counters: self = .counters
        case .measured: self = .measured
        case .pressed: self = .pressed
        case .exited: self = .exited
        case .emptied: self = .emptied
        case .removed: self = .removed
        case .removalFailed: self = .removalFailed
        }
    }
}

/// The kinds of action, each occurrence a kind of its own.
private enum ActionKind: Int, CaseIterable {
    case start, signal, abort, signalLeftovers, kill, watchForEmptiness, measureMemory, measureGroup
    case setMemoryHigh, lowerMemoryMax
    case setMemoryMax, observeMemoryEvents, remove, setTimer, cancelTimer, finish
    case supervisorStarted, supervisorReady, supervisorStopping, supervisorStopped, workerStarted,
        workerAdopted,
        workerReady, workerStopping, workerYielding, workerMemoryAlarm, workerMemoryLimit,
        workerMemoryExcess, workerMemoryPressure
    case workerOOM, workerLeftovers, workerExited, workerStuck, workerBackoff, workerPaced, workerNotReplaced,
        workerLeaving,
        workerWatchdog,
        workerStatus, groupFailed,
        groupScaled, rollStarted, rollEnded, hostTrouble, hostNotice

    init(_ action: Action) {
        switch action {
        case .start: self = .start
        case .signal: self = .signal
        case .abort: self = .abort
        case .signalLeftovers: self = .signalLeftovers
        case .kill: self = .kill
        case .watchForEmptiness: self = .watchForEmptiness
        case .measureMemory: self = .measureMemory
        case .measureGroup: self = .measureGroup
        case .lowerMemoryMax: self = .lowerMemoryMax
        case .setMemoryHigh: self = .setMemoryHigh
        case .setMemoryMax: self = .setMemoryMax
        case .observeMemoryEvents: self = .observeMemoryEvents
        case .remove: self = .remove
        case .setTimer: self = .setTimer
        case .cancelTimer: self = .cancelTimer
        case .finish: self = .finish
        case .report(let occurrence): self.init(occurrence)
        }
    }

    private init(_ occurrence: Occurrence) {
        switch occurrence {
        case .supervisorStarted: self = .supervisorStarted
        case .supervisorReady: self = .supervisorReady
        case .supervisorStopping: self = .supervisorStopping
        case .supervisorStopped: self = .supervisorStopped
        case .workerStarted: self = .workerStarted
        case .workerAdopted: self = .workerAdopted
        case .workerReady: self = .workerReady
        case .workerStopping: self = .workerStopping
        case .workerYielding: self = .workerYielding
        case .workerMemoryExcess: self = .workerMemoryExcess
        case .workerMemoryPressure: self = .workerMemoryPressure
        case .workerMemoryAlarm: self = .workerMemoryAlarm
        case .workerMemoryLimit: self = .workerMemoryLimit
        case .workerOOM: self = .workerOOM
        case .workerLeftovers: self = .workerLeftovers
        case .workerExited: self = .workerExited
        case .workerStuck: self = .workerStuck
        case .workerLeaving: self = .workerLeaving
        case .workerWatchdog: self = .workerWatchdog
        case .workerStatus: self = .workerStatus
        case .workerBackoff: self = .workerBackoff
        case .workerPaced: self = .workerPaced
        case .workerNotReplaced: self = .workerNotReplaced
        case .groupFailed: self = .groupFailed
        case .groupScaled: self = .groupScaled
        case .rollStarted: self = .rollStarted
        case .rollEnded: self = .rollEnded
        case .hostTrouble: self = .hostTrouble
        // The host tells these, never supervision.
        case .hostNotice, .workerPidsLimit, .workerAccounted, .supervisorReloading, .supervisorUpgraded,
            .supervisorUpgradeRefused,
            .supervisorReloaded, .supervisorBroken:
            self = .hostNotice
        }
    }
}

extension Incarnation.Phase {
    fileprivate var place: Int {
        switch self {
        case .starting: 0
        case .aborting: 1
        case .up: 2
        case .ready: 3
        case .leaving: 4
        case .draining: 5
        case .killing: 6
        case .lingering: 7
        case .purging: 8
        case .removing: 9
        case .gone: 10
        }
    }
}
