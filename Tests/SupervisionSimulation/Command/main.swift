import Glibc
import SupervisionSimulation

/// `supervision-simulation [--events N] [--seed N]`: plays random histories and checks every step.
/// `supervision-simulation --break INVARIANT`: the same with a deliberate mistake, to see it found.
/// `supervision-simulation --table life|slot`: prints a table of the documentation page as the code has it.
func run(_ arguments: [String]) -> Int32 {
    var events = 1_000_000
    var seed = UInt64.random(in: 0 ... .max)
    var target: Invariant?
    var rest = arguments[...]
    while let argument = rest.popFirst() {
        switch (argument, rest.popFirst()) {
        case ("--table", "life"): return show(LifeTable.rows(), LifeTable.headings)
        case ("--table", "slot"): return show(SlotTable.rows(), SlotTable.headings)
        case ("--events", let value?) where (Int(value) ?? 0) > 0: events = Int(value) ?? events
        case ("--seed", let value?) where UInt64(value) != nil: seed = UInt64(value) ?? seed
        case ("--break", let value?) where Invariant(rawValue: value) != nil:
            target = Invariant(rawValue: value)
        default:
            say(
                "usage: supervision-simulation [--events NUMBER] [--seed NUMBER] [--break INVARIANT] [--table life|slot]; not understood: \(argument)"
            )
            return 64
        }
    }
    print("seed \(seed)")
    var simulation = Simulation(seed: seed, breaking: target)
    let clock = ContinuousClock()
    let began = clock.now
    var nextProgress = began + .seconds(1)
    do {
        try simulation.run(events: events) { score in
            guard clock.now >= nextProgress else { return }
            nextProgress += .seconds(1)
            say("\(score.events) of \(events) events, \(score.histories) histories")
        }
    } catch {
        say("seed \(error.seed), history \(error.history), step \(error.step)")
        for line in error.trace { say(line) }
        say("violated: \(error.violation.invariant.rawValue): \(error.violation.sentence)")
        return 1
    }
    let seconds = max((clock.now - began) / .seconds(1), 0.001)
    let score = simulation.score
    for (kind, count) in score.eventKinds { print("event \(kind) \(count)") }
    for (kind, count) in score.actionKinds { print("action \(kind) \(count)") }
    for pair in score.unseenPairs { print("never came about: \(pair)") }
    print(
        "\(score.events) events in \(score.histories) histories, \(Int(seconds * 1000)) ms, "
            + "\(Int(Double(score.events) / seconds)) events/s, seed \(seed), no violation")
    return 0
}

func show(_ rows: [TableRow], _ headings: [String]) -> Int32 {
    print(TableText.write(rows, headings: headings), terminator: "")
    return 0
}

func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(2, bytes, bytes.count)
}

exit(run(Array(CommandLine.arguments.dropFirst())))
