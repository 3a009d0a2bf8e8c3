import SergeantCG
import SergeantCommand
import Testing

/// What `sergeantcg top` shows.
@Suite struct TopScreenTests {
    /// - Parameter workers: what they have beside their names, as JSON members.
    private func report(_ workers: String...) throws -> StatusReport {
        let list = workers.enumerated().map { index, members in
            """
            {"worker": "web-\(index + 1)", "slot": \(index + 1), "incarnation": 1, "pid": \(100 + index), "state": "ready",
             "restarts": {"total": 0}, \(members)}
            """
        }
        let text = """
            {"name": "shop", "pid": 7, "version": "1.2.3", "state": "ready", "cgroup": "/shop", "groups": [
             {"name": "web", "state": "ready", "desired": \(workers.count), "ready": \(workers.count),
              "workers": [\(list.joined(separator: ","))]}]}
            """
        return try #require(StatusReport(json: Array(text.utf8)), "\(text)")
    }

    private func memory(_ current: Int, limit: Int, max: Int) -> String {
        """
        "memory": {"current": \(current << 20), "unreclaimable": \(current << 20), "peak": \(current << 20),
                   "limit": \(limit << 20), "max": \(max << 20)}
        """
    }

    @Test func aWorkerIsALineOfEightyColumns() throws {
        var screen = TopScreen()
        screen.take(try report(memory(32, limit: 48, max: 64)), elapsed: 0)
        let lines = screen.lines(columns: 80, lines: 24, stalls: ["web-1": 12.34]).map(\.plain)
        #expect(lines.count == 24)
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(lines[0] == "shop: ready  1 of 1 workers ready  PID 7  1.2.3")
        #expect(
            lines[1] == "WORKER           STATE                MEMORY   LIMIT    PEAK  CPU % STALL% REST.")
        #expect(
            lines[2] == "web-1            ready ██████···┃···   32.0M   48.0M   32.0M      -   12.3     0")
        #expect(lines[22] == "web-1, incarnation 1  PID 100  never replaced")
    }

    @Test func lettersStandForBlocksWhereThereAreNone() throws {
        var screen = TopScreen()
        screen.take(try report(memory(64, limit: 48, max: 64)), elapsed: 0)
        let line = screen.lines(columns: 80, lines: 24, strokes: .letters)[2].plain
        #expect(line.contains("#########|###"), "\(line)")
        #expect(line.utf8.count == 80)
    }

    /// CPU is what was used between two looks, and nothing is known of one that was not there at the first.
    @Test func cpuIsADifference() throws {
        var screen = TopScreen()
        screen.take(try report("\"cpu_usage_usec\": 1000000", "\"cpu_usage_usec\": 5"), elapsed: 0)
        screen.take(
            try report("\"cpu_usage_usec\": 4000000", "\"cpu_usage_usec\": 4"), elapsed: 2_000_000)
        #expect(screen.rows.map(\.cpu) == [1500, nil])
        #expect(screen.lines(columns: 80, lines: 24)[2].plain.contains(" 150.0 "))
    }

    @Test func theChosenOneStaysChosenInEveryOrder() throws {
        var screen = TopScreen()
        screen.take(
            try report(
                memory(1, limit: 9, max: 9), memory(3, limit: 9, max: 9), memory(2, limit: 9, max: 9)),
            elapsed: 0)
        screen.move(by: 2)
        #expect(screen.chosen == "web-3")
        screen.changeOrder()
        #expect(screen.rows.map(\.worker.worker) == ["web-2", "web-3", "web-1"])
        #expect(screen.chosen == "web-3")
        screen.move(by: -10)
        #expect(screen.chosen == "web-2")
        for _ in 0..<3 { screen.changeOrder() }
        #expect(screen.order == .name)
        #expect(screen.rows.map(\.worker.worker) == ["web-1", "web-2", "web-3"])
    }

    /// The chosen one is always on the screen, however many there are and however small it is.
    @Test(arguments: [(80, 24), (40, 10), (20, 5), (1, 1), (300, 100)])
    func everySizeHasItsLines(columns: Int, lines: Int) throws {
        var screen = TopScreen()
        let workers = Array(repeating: memory(1, limit: 9, max: 9), count: 150)
        let text = workers.enumerated().map { index, members in
            "{\"worker\": \"web-\(index + 1)\", \"slot\": \(index + 1), \"incarnation\": 1, \"state\": \"ready\", "
                + "\"restarts\": {}, \(members)}"
        }.joined(separator: ",")
        let json = """
            {"name": "shop", "pid": 7, "version": "1", "state": "ready", "cgroup": "/", "groups": [{"name": "web",
             "state": "ready", "desired": 150, "ready": 150, "workers": [\(text)]}]}
            """
        screen.take(try #require(StatusReport(json: Array(json.utf8))), elapsed: 0)
        for step in [0, 149, -1, -70, 500, -500] {
            screen.move(by: step)
            #expect(screen.visible(lines: lines).contains { $0.worker.worker == screen.chosen })
            let shown = screen.lines(columns: columns, lines: lines)
            #expect(shown.count == max(lines, 5))
            for line in shown {
                let written = line.written(columns: columns, hasColours: false)
                #expect(written.count { !$0.isASCII || $0.asciiValue ?? 0 >= 0x20 } <= columns + 16)
            }
        }
    }

    /// What workers say of themselves reaches no terminal as it is.
    @Test func controlCharactersAreSpelledOut() throws {
        var screen = TopScreen()
        screen.take(try report("\"status\": \"a\\u001b[2Jb\""), elapsed: 0)
        let detail = screen.lines(columns: 80, lines: 24)[22].plain
        #expect(detail.hasSuffix("never replaced  a\\u{1b}[2Jb") && !detail.contains("\u{1B}"), "\(detail)")
    }

    @Test func keysAreRead() {
        #expect(Terminal.keys(Array("\u{1B}[A\u{1B}OBsq".utf8)) == [.up, .down, .letter("s"), .letter("q")])
        #expect(
            Terminal.keys(Array("\u{1B}[5~\u{1B}[6~\u{1B}[1;5Cr".utf8)) == [.pageUp, .pageDown, .letter("r")])
        for bytes in [[0x1B], [0x1B, 0x5B], [0x1B, 0x5B, 0x31], [0xFF, 0]] as [[UInt8]] {
            _ = Terminal.keys(bytes)
        }
    }
}
