internal import ArgumentParser
internal import SergeantCG

/// `sergeantcg top`: what runs and what it uses, as it changes, until a person has seen enough.
struct ControlTop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch what a supervisor runs and what it uses; recycle a worker.",
        discussion: """
            Keys: up and down (or k and j) choose a worker, s sorts by another column, r recycles the chosen
            worker, q quits. The bar is what a worker holds, its mark where it is recycled, its end where the
            kernel kills it. STALL% is which part of the last ten seconds it stood still for want of memory.
            """, shouldDisplay: Listing.isWhole)

    @OptionGroup var options: ControlOptions

    @Option(
        help: ArgumentHelp("Ask anew after so long: 2s, 500ms.", valueName: "duration"),
        transform: { text in
            guard let interval = Quantity.duration(text), interval >= .milliseconds(100) else {
                throw ValidationError("it takes a time of 100ms or more")
            }
            return interval
        })
    var interval = Duration.seconds(1)

    func run() throws {
        var screen = TopScreen()
        // Before the terminal is taken, so that an error is seen.
        screen.take(try options.reach().status().report, elapsed: 0)
        let terminal = try Terminal()
        let pressures = PressureGauge()
        let requests = RecycleRequests()
        var asked = ContinuousClock.now
        var trouble: String?
        while !terminal.isToEnd {
            let size = terminal.size
            let visible = screen.visible(lines: size.lines).map(\.worker)
            terminal.show(
                screen.lines(
                    columns: size.columns, lines: size.lines, message: trouble ?? requests.message,
                    stalls: pressures.stalls(of: visible), strokes: terminal.hasBlocks ? .blocks : .letters))
            for key in terminal.keys(until: asked + interval) {
                requests.forget()
                switch key {
                case .up, .letter("k"): screen.move(by: -1)
                case .down, .letter("j"): screen.move(by: 1)
                case .pageUp: screen.move(by: 4 - size.lines)
                case .pageDown: screen.move(by: size.lines - 4)
                case .letter("s"): screen.changeOrder()
                case .letter("r"): if let worker = screen.chosen { requests.recycle(worker, options) }
                // The second is Ctrl-C.
                case .letter("q"), .letter("\u{3}"): return
                default: break
                }
            }
            let now = ContinuousClock.now
            guard now - asked >= interval else { continue }
            do {
                screen.take(
                    try options.reach().status().report, elapsed: UInt64((now - asked) / .microseconds(1)))
                trouble = nil
            } catch {
                trouble = "\(error)"
            }
            asked = now
        }
    }
}
