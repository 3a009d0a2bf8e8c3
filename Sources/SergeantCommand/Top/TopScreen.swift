package import SergeantCG

/// What `sergeantcg top` shows: a pure function of what the supervisor told, what it told before, and what the person
/// chose.
package struct TopScreen {
    /// By what workers are ordered.
    package enum Order: String, CaseIterable {
        case name, memory, cpu, restarts

        var next: Order {
            let all = Self.allCases
            return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
        }
    }

    /// What can be drawn with.
    package struct Strokes {
        let held: Character
        let free: Character
        let limit: Character

        package static let blocks = Strokes(held: "█", free: "·", limit: "┃")
        package static let letters = Strokes(held: "#", free: ".", limit: "|")
    }

    /// A worker, with what is known of it by looking twice or elsewhere.
    package struct Row {
        package let worker: StatusReport.Worker
        /// CPUs it used since it was looked at before, in thousandths.
        package let cpu: UInt64?
    }

    package private(set) var order = Order.name
    package private(set) var rows: [Row] = []
    /// The worker that a key acts on.
    package private(set) var chosen: String?

    private var report: StatusReport?
    /// Of each incarnation, its CPU time when it was looked at before.
    private var before: [String: UInt64] = [:]
    private var first = 0

    package init() {}

    // MARK: What comes

    /// - Parameter elapsed: microseconds since the report before; 0 for the first.
    package mutating func take(_ report: StatusReport, elapsed: UInt64) {
        let workers = report.groups.flatMap(\.workers)
        rows = workers.map { worker in
            var cpu: UInt64?
            if elapsed > 0, let now = worker.cpuMicroseconds, let earlier = before[Self.key(worker)],
                now >= earlier
            {
                cpu = (now - earlier) * 1000 / elapsed
            }
            return Row(worker: worker, cpu: cpu)
        }
        before = Dictionary(
            workers.compactMap { worker in worker.cpuMicroseconds.map { (Self.key(worker), $0) } }
        ) { $1 }
        self.report = report
        sort()
        if !rows.contains(where: { $0.worker.worker == chosen }) { chosen = rows.first?.worker.worker }
    }

    package mutating func changeOrder() {
        order = order.next
        sort()
    }

    /// Chooses the worker so many lines below.
    package mutating func move(by lines: Int) {
        guard !rows.isEmpty else { return }
        let place = rows.firstIndex { $0.worker.worker == chosen } ?? 0
        chosen = rows[min(max(0, place + lines), rows.count - 1)].worker.worker
    }

    private static func key(_ worker: StatusReport.Worker) -> String {
        "\(worker.worker).\(worker.incarnation)"
    }

    private mutating func sort() {
        // A report has them by name; of equals the earlier stays before the later.
        func sorted(by value: (Row) -> UInt64) -> [Row] {
            rows.enumerated().sorted { one, other in
                let (first, second) = (value(one.element), value(other.element))
                return first == second ? one.offset < other.offset : first > second
            }.map(\.element)
        }
        switch order {
        case .name:
            guard let report else { return }
            let places = Dictionary(
                report.groups.flatMap(\.workers).enumerated().map { (Self.key($1), $0) }
            ) { first, _ in first }
            rows.sort { places[Self.key($0.worker)] ?? 0 < places[Self.key($1.worker)] ?? 0 }
        case .memory: rows = sorted { $0.worker.memory?.current ?? 0 }
        case .cpu: rows = sorted { $0.cpu ?? 0 }
        case .restarts: rows = sorted { UInt64($0.worker.restarts["total"] ?? 0) }
        }
    }

    // MARK: What is shown

    /// Which rows are on a screen of so many lines: the chosen one always.
    package mutating func visible(lines: Int) -> ArraySlice<Row> {
        let room = max(1, lines - 4)
        let place = rows.firstIndex { $0.worker.worker == chosen } ?? 0
        first = min(max(first, place - room + 1), place)
        first = max(0, min(first, rows.count - room))
        return rows[first..<min(rows.count, first + room)]
    }

    /// Exactly so many lines, none wider than so many columns.
    ///
    /// - Parameters:
    ///   - message: what is to be said, instead of which keys there are.
    ///   - stalls: of workers by name, which part of the last ten seconds they stood still for want of memory, in per cent.
    package mutating func lines(
        columns: Int, lines: Int, message: String? = nil, stalls: [String: Double] = [:],
        strokes: Strokes = .blocks
    ) -> [StyledText] {
        guard let report else { return [] }
        let shown = visible(lines: lines)
        let table = Table(columns: columns, strokes: strokes)
        var result = [heading(report), StyledText(table.head, .faint)]
        for row in shown {
            let line = table.line(row, stall: stalls[row.worker.worker])
            result.append(
                row.worker.worker == chosen ? StyledText(line.plain.padded(to: columns), .chosen) : line)
        }
        result += Array(repeating: StyledText(), count: max(0, lines - 2 - result.count))
        result.append(detail())
        result.append(
            message.map { StyledText($0, .bold) }
                ?? StyledText("up/down choose   s sort (by \(order.rawValue))   r recycle   q quit", .faint))
        return result
    }

    private func heading(_ report: StatusReport) -> StyledText {
        let ready = report.groups.reduce(0) { $0 + $1.ready }
        let desired = report.groups.reduce(0) { $0 + $1.desired }
        var line = StyledText("\(LogLines.escaped(report.name)): ", .bold)
        line.append(report.state.rawValue, report.state == .ready ? .good : .warning)
        line.append("  \(ready) of \(desired) workers ready  PID \(report.pid)  \(report.version)")
        return line
    }

    private func detail() -> StyledText {
        guard let row = rows.first(where: { $0.worker.worker == chosen }) else { return StyledText() }
        let worker = row.worker
        let reasons = worker.restarts.filter { $0.key != "total" && $0.value > 0 }
            .sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            .map { "\($0.key) \($0.value)" }
        var parts = ["\(worker.worker), incarnation \(worker.incarnation)"]
        parts += worker.pid.map { ["PID \($0)"] } ?? ["no process"]
        parts.append(reasons.isEmpty ? "never replaced" : "replaced: \(reasons.joined(separator: ", "))")
        if let status = worker.status { parts.append(status) }
        return StyledText(LogLines.escaped(parts.joined(separator: "  ")))
    }
}

/// Its columns. The bar takes the room that is left.
private struct Table {
    private let name: Int
    private let bar: Int
    private let strokes: TopScreen.Strokes
    /// State, held, limit, peak, CPU, stall, restarts, with the space before each.
    private static let widths = [9, 8, 8, 8, 7, 7, 6]

    init(columns: Int, strokes: TopScreen.Strokes) {
        let cells = Self.widths.reduce(0, +)
        name = max(8, min(24, (columns - cells) / 2))
        bar = max(0, columns - cells - name - 1)
        self.strokes = strokes
    }

    var head: String {
        let cells = zip(["STATE", "MEMORY", "LIMIT", "PEAK", "CPU %", "STALL%", "REST."], Self.widths)
            .map { $0.padded(before: $1) }
        return "WORKER".padded(to: name) + cells[0] + " " + "".padded(to: bar) + cells[1...].joined()
    }

    func line(_ row: TopScreen.Row, stall: Double?) -> StyledText {
        let worker = row.worker
        let memory = worker.memory
        let held = memory?.unreclaimable ?? memory?.current
        let bounds = [memory?.limit, memory?.max].compactMap(\.self)
        let nearest = bounds.min()
        let isNear = nearest.map { limit in (held ?? 0) * 10 >= limit * 9 } ?? false
        let style: StyledText.Style = isNear ? .warning : .good
        var line = StyledText(LogLines.escaped(worker.worker).shortened(to: name).padded(to: name))
        line.append(
            worker.state.rawValue.padded(before: Self.widths[0]), worker.state == .ready ? .good : .warning)
        line.append(" ")
        line.append(picture(memory), style)
        let cells = [
            ByteCount.cell(memory?.current), ByteCount.cell(nearest), ByteCount.cell(memory?.peak),
            row.cpu.map { "\($0 / 10).\($0 % 10)" } ?? "-",
            stall.map { "\(Int($0)).\(Int($0 * 10) % 10)" } ?? "-", "\(worker.restarts["total"] ?? 0)",
        ]
        line.append(zip(cells, Self.widths[1...]).map { $0.padded(before: $1) }.joined())
        return line
    }

    /// What it holds against what it may, with a mark where it is recycled; the end of the bar is where it is killed.
    private func picture(_ memory: StatusReport.Memory?) -> String {
        guard bar > 0, let memory, let current = memory.current else { return "".padded(to: bar) }
        let end = max(1, memory.max ?? memory.limit.map { $0 + $0 / 8 } ?? memory.peak ?? current)
        func place(_ bytes: UInt64) -> Int {
            Int(min(Double(bar), Double(bytes) / Double(end) * Double(bar)))
        }
        var picture = [Character](repeating: strokes.free, count: bar)
        for index in 0..<place(current) { picture[index] = strokes.held }
        if let limit = memory.limit { picture[min(bar - 1, place(limit))] = strokes.limit }
        return String(picture)
    }
}

extension String {
    /// A name tells at its end which of many it is.
    fileprivate func shortened(to width: Int) -> String {
        count <= width ? self : "~" + suffix(width - 1)
    }
}
