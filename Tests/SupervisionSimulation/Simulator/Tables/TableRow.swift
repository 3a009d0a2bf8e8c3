/// One pair of a table: in this section (a phase, a slot's state), this comes, in this case; then the cells.
package struct TableRow: Hashable, Sendable {
    package var section: String
    package var what: String
    package var when: String
    package var cells: [String]

    fileprivate var rank: Int {
        when.isEmpty ? (cells.allSatisfy(\.isEmpty) ? 1 : 0) : 2
    }

    package var pair: String { "\(section) × \(what)" + (when.isEmpty ? "" : " (\(when))") }
}

/// Tables as they stand in a page: a heading `### section`, then rows, each for one or more that come.
package enum TableText {
    /// Writes rows as text; rows of a section that lead to the same share a line, and what leads to nothing
    /// stands after the rest.
    package static func write(_ rows: [TableRow], headings: [String]) -> String {
        var lines: [String] = []
        var section = ""
        var done: Set<TableRow> = []
        let ordered = rows.enumerated().sorted { left, right in
            left.element.section == right.element.section && left.element.rank != right.element.rank
                ? left.element.rank < right.element.rank : left.offset < right.offset
        }
        for row in ordered.map(\.element) where !done.contains(row) {
            if row.section != section {
                section = row.section
                lines += ["", "### \(section)", "", "| " + headings.joined(separator: " | ") + " |"]
                lines.append("|" + headings.map { _ in " --- |" }.joined())
            }
            let alike = rows.filter {
                $0.section == row.section && $0.when == row.when && $0.cells == row.cells
            }
            done.formUnion(alike)
            let first = alike.map(\.what).joined(separator: "; ")
            lines.append("| " + ([first, row.when] + row.cells).map(shown).joined(separator: " | ") + " |")
        }
        return lines.dropFirst().joined(separator: "\n") + "\n"
    }

    /// Reads every such row of a page, each pair by itself.
    package static func read(_ page: String) -> [TableRow] {
        var section = ""
        var rows: [TableRow] = []
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#") {
                section = line.hasPrefix("### ") ? String(line.dropFirst(4)) : ""
            }
            guard line.hasPrefix("|"), !section.isEmpty else { continue }
            let cells = line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                .map { trimmed($0) }
            guard cells.count > 2, !cells[0].hasPrefix("---"), cells[0] != "What comes" else { continue }
            for what in cells[0].split(separator: ";") {
                rows.append(
                    TableRow(
                        section: section, what: trimmed(what), when: meant(cells[1]),
                        cells: cells.dropFirst(2).map(meant)))
            }
        }
        return rows
    }

    private static func shown(_ cell: String) -> String { cell.isEmpty ? "–" : cell }
    private static func meant(_ cell: String) -> String { cell == "–" ? "" : cell }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = text[...]
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return String(rest)
    }

    /// How a page differs from what is: a line for each pair that is missing, surplus, double or wrong.
    package static func differences(page: [TableRow], truth: [TableRow]) -> [String] {
        let written = Dictionary(grouping: page, by: \.pair)
        let found = Dictionary(grouping: truth, by: \.pair)
        var lines: [String] = []
        for row in truth {
            guard let line = written[row.pair]?.first else {
                lines.append("missing: \(row.pair)")
                continue
            }
            if line.cells != row.cells {
                lines.append("wrong: \(row.pair): \(line.cells), is \(row.cells)")
            }
        }
        for row in page where found[row.pair] == nil { lines.append("surplus: \(row.pair)") }
        for (pair, rows) in written.sorted(by: { $0.key < $1.key }) where rows.count > 1 {
            lines.append("double: \(pair)")
        }
        return lines
    }
}
