import Supervision

/// A slot as a table: what each of its states makes of all that can come, found by telling events.
package enum SlotTable {
    package static let headings = ["What comes", "When", "Next state", "Actions of the slot, in order"]

    private static let slot = SlotID(group: 0, slot: 1)
    private static let timer = TimerID.slot(slot)
    /// One more slot than may start at once: the last one waits for its turn.
    private static let crowd = Tempo.startsInFlight + 1

    private struct State: Sendable {
        let name: String
        let slot: SlotID
        let enter: @Sendable () -> Bench
    }

    private static let states = [
        State(name: "staffed", slot: slot) { working() },
        State(name: "waits until", slot: slot) {
            var bench = working()
            bench.exit(life(1, 1), 1, after: .seconds(1))
            return bench
        },
        State(name: "waits for a predecessor", slot: slot) { breached(twice: true) },
        State(name: "waits for its turn", slot: SlotID(group: 0, slot: crowd)) {
            var bench = Bench(GroupPolicy(name: "web", workers: crowd))
            bench.tell(.begin)
            return bench
        },
        State(name: "rests", slot: slot) {
            // One beside it works on, else all would end.
            var bench = Bench(GroupPolicy(name: "web", workers: 2, restart: .never))
            bench.tell(.begin)
            bench.start(life(1, 1))
            bench.start(life(2, 1))
            bench.exit(life(1, 1), 1, after: .seconds(1))
            return bench
        },
        State(name: "empty after a stop", slot: slot) {
            var bench = working()
            bench.tell(.stop)
            return bench
        },
        State(name: "scaled down", slot: slot) {
            var bench = working()
            bench.tell(sized(0), after: .seconds(1))
            return bench
        },
    ]

    private static func sized(_ workers: Int) -> Event {
        .configure(group: 0, GroupPolicy(name: "web", workers: workers), rolls: false)
    }

    private static func working(_ policy: GroupPolicy = GroupPolicy(name: "web", workers: 1)) -> Bench {
        var bench = Bench(policy)
        bench.tell(.begin)
        bench.start(life(1, 1))
        return bench
    }

    /// A slot whose workers breach their limit as soon as they run, and do not go.
    private static func breached(twice: Bool) -> Bench {
        var bench = working(GroupPolicy(name: "web", workers: 1, memoryThreshold: 1 << 20))
        let above = MemoryMeasurement(current: 2 << 20, unreclaimable: 2 << 20)
        bench.tell(life(1, 1), .measured(above), after: .seconds(1))
        bench.start(life(1, 2))
        if twice { bench.tell(life(1, 2), .measured(above), after: .seconds(1)) }
        return bench
    }

    // MARK: What can come

    private typealias Deed = (what: String, when: String, slot: SlotID, act: () -> Bench)

    private static var ends: [Deed] {
        func end(
            _ what: String, _ when: String = "", ready: GroupPolicy.Readiness = .whenStarted,
            restart: GroupPolicy.RestartPolicy = .always, after: Duration,
            _ input: Incarnation.Input
        ) -> Deed {
            (
                what, when, slot,
                {
                    var bench = working(
                        GroupPolicy(
                            name: "web", workers: 1, readiness: ready, memoryThreshold: 1 << 20,
                            restart: restart))
                    bench.tell(life(1, 1), input, after: after)
                    return bench
                }
            )
        }
        let above = Incarnation.Input.measured(MemoryMeasurement(current: 2 << 20, unreclaimable: 2 << 20))
        let success = Incarnation.Input.exited(Exit(status: .code(0)))
        let failure = Incarnation.Input.exited(Exit(status: .code(1)))
        return [
            end("success", after: .seconds(1), success),
            end("success", "restart on failure", restart: .onFailure, after: .seconds(1), success),
            end("failure", "restart on failure", restart: .onFailure, after: .seconds(1), failure),
            end("recycle", "restart on failure", restart: .onFailure, after: .seconds(1), above),
            end("failure", "restart never", restart: .never, after: .seconds(1), failure),
            end("recycle", "restart never", restart: .never, after: .seconds(1), above),
            end("success", "within 0.1 s of its start", after: .milliseconds(50), success),
            end("recycle", after: .seconds(1), above),
            end("recycle", "within 0.1 s of its start", after: .milliseconds(50), above),
            ("recycle", "another still drains", slot, { breached(twice: true) }),
            end("failure", after: .seconds(9), failure),
            end("failure", "ready for 10 s", after: .seconds(10), failure),
            end("failure", "10 s old, never ready", ready: .whenReported, after: .seconds(10), failure),
            (
                "failed start", "", slot,
                {
                    var bench = Bench(GroupPolicy(name: "web", workers: 1))
                    bench.tell(.begin)
                    bench.tell(
                        life(1, 1), .startFailed(StartFailure(isPermanent: false, sentence: "")),
                        after: .seconds(1))
                    return bench
                }
            ),
        ]
    }

    private static func deeds(in state: State) -> [Deed] {
        func deed(_ what: String, _ act: @escaping (inout Bench) -> Void) -> Deed {
            (
                what, "", state.slot,
                {
                    var bench = state.enter()
                    act(&bench)
                    return bench
                }
            )
        }
        return [
            deed("timer early") { $0.tell(.timer(.slot(state.slot)), after: .milliseconds(1)) },
            deed("timer due") { $0.tell(.timer(.slot(state.slot)), after: .seconds(60)) },
            deed("a predecessor ends") { $0.exit(IncarnationID(slot: state.slot, number: 1), 0) },
            deed("a start is answered") { $0.start(life(2, 1)) },
            deed("restart") { $0.tell(.restart(.slot(state.slot)), after: .seconds(1)) },
            deed("scaled down") { $0.tell(sized(0), after: .milliseconds(1)) },
            deed("scaled up") { $0.tell(sized(crowd), after: .milliseconds(1)) },
            deed("begin") { $0.tell(.begin) },
            deed("stop") { $0.tell(.stop) },
            deed("kill") { $0.tell(.kill) },
        ]
    }

    /// Where the state is "staffed", the predecessor is one of an incarnation that works already.
    private static func deeds() -> [(State, Deed)] {
        states.flatMap { state in
            var all = deeds(in: state)
            if state.name == "staffed" {
                all.removeAll { $0.what == "a predecessor ends" }
                all = ends + all
                all.append(
                    (
                        "a predecessor ends", "", slot,
                        {
                            var bench = breached(twice: false)
                            bench.exit(life(1, 1), 0)
                            return bench
                        }
                    ))
            }
            if state.name == "waits for its turn" { all.removeAll { $0.what == "a predecessor ends" } }
            return all.map { (state, $0) }
        }
    }

    // MARK: What becomes of it

    package static func rows() -> [TableRow] {
        deeds().map { state, deed in
            let bench = deed.act()
            let own = bench.actions.filter { isOfSlot($0, deed.slot) }
            return TableRow(
                section: state.name, what: deed.what, when: deed.when,
                cells: [
                    standing(bench, deed.slot),
                    own.map { name($0, bench, deed.slot) }.joined(separator: ", "),
                ])
        }
    }

    private static func standing(_ bench: Bench, _ slot: SlotID) -> String {
        switch bench.supervision.waiting(in: slot) {
        case .until: return "waits until"
        case .turn: return "waits for its turn"
        case .predecessor: return "waits for a predecessor"
        case .rest: return "rests"
        case nil: break
        }
        if !bench.supervision.isStopping, bench.supervision.group(slot.group)?.desired ?? 0 < slot.slot {
            return "scaled down"
        }
        let phases = (1...5).map { bench.supervision.phase(of: IncarnationID(slot: slot, number: $0)) }
        let works = phases.contains { $0 == .starting || $0 == .up || $0 == .ready }
        return works ? "staffed" : "empty after a stop"
    }

    /// What is the slot's own; the rest is the incarnation's, whose table tells it.
    private static func isOfSlot(_ action: Action, _ slot: SlotID) -> Bool {
        switch action {
        case .start(let id): id.slot == slot
        case .setTimer(.slot(let id), _), .cancelTimer(.slot(let id)): id == slot
        case .report(.workerBackoff(let id, _, _)), .report(.workerPaced(let id)),
            .report(.workerNotReplaced(let id, _)):
            id == slot
        default: false
        }
    }

    private static func name(_ action: Action, _ bench: Bench, _ slot: SlotID) -> String {
        guard case .setTimer(_, let instant) = action else { return LifeTable.name(action) }
        let delay = instant - bench.now
        return delay == .milliseconds(50) ? "timer 0.1 s after the last start" : "timer back-off"
    }
}
