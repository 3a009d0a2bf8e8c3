/// A picture of how much memory the workers of each group held at most, against their limits: SVG.
package struct PeakHistogram {
    private static let width = 720
    private static let height = 180
    private static let margin = 40
    private static let bins = 48

    package let groups: [AccountReport.Group]

    package init(_ report: AccountReport) {
        groups = report.groups.filter { !$0.peaks.isEmpty }
    }

    package var svg: String {
        let height = max(1, groups.count) * (Self.height + 2 * Self.margin)
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(height)" role="img" \
            aria-label="Peaks of memory, by group">
            <style>
            svg { background: #fff; color: #222; font: 12px sans-serif }
            text { fill: currentColor } .bar { fill: #3b7dd8 } .axis { stroke: currentColor }
            .limit { stroke: #d98200; stroke-width: 2 } .max { stroke: #c22; stroke-width: 2 }
            @media (prefers-color-scheme: dark) { svg { background: #161616; color: #ddd } .bar { fill: #6aa5f0 } }
            </style>

            """
        for (index, group) in groups.enumerated() {
            text += "<g transform=\"translate(0 \(index * (Self.height + 2 * Self.margin)))\">\n"
            text += Self.draw(group)
            text += "</g>\n"
        }
        if groups.isEmpty { text += "<text x=\"20\" y=\"30\">no peak of memory is known</text>\n" }
        return text + "</svg>\n"
    }

    private static func draw(_ group: AccountReport.Group) -> String {
        let widest =
            Double(max(group.peaks.last ?? 1, group.memoryLimit ?? 0, group.memoryMax ?? 0, 1)) * 1.04
        let room = Double(width - 2 * margin)
        func x(_ bytes: UInt64) -> Double { Double(margin) + Double(bytes) / widest * room }

        var counts = [Int](repeating: 0, count: bins)
        for peak in group.peaks { counts[min(bins - 1, Int(Double(peak) / widest * Double(bins)))] += 1 }
        let tallest = Double(counts.max() ?? 1)
        let bottom = Double(margin + height)
        var text =
            "<text x=\"\(margin)\" y=\"\(margin - 22)\" font-weight=\"bold\">\(escaped(group.name))</text>\n"
            + "<text x=\"\(margin)\" y=\"\(margin - 7)\">\(group.peaks.count) incarnations, p50 \(ByteCount.cell(group.peak(0.5))), "
            + "p95 \(ByteCount.cell(group.peak(0.95))), max \(ByteCount.cell(group.peaks.last))</text>\n"
        for (index, count) in counts.enumerated() where count > 0 {
            let tall = max(1, Double(count) / tallest * Double(height))
            let left = Double(margin) + Double(index) / Double(bins) * room
            text +=
                "<rect class=\"bar\" x=\"\(rounded(left))\" y=\"\(rounded(bottom - tall))\" "
                + "width=\"\(rounded(room / Double(bins) - 1))\" height=\"\(rounded(tall))\"><title>\(count)</title></rect>\n"
        }
        text +=
            "<line class=\"axis\" x1=\"\(margin)\" y1=\"\(rounded(bottom))\" x2=\"\(width - margin)\" y2=\"\(rounded(bottom))\"/>\n"
        for (kind, words, limit) in [
            ("limit", "recycled", group.memoryLimit), ("max", "killed", group.memoryMax),
        ] {
            guard let limit else { continue }
            let place = rounded(x(limit))
            text +=
                "<line class=\"\(kind)\" x1=\"\(place)\" y1=\"\(margin)\" x2=\"\(place)\" y2=\"\(rounded(bottom))\"/>\n"
                + "<text x=\"\(place)\" y=\"\(rounded(bottom + (kind == "limit" ? 15 : 29)))\" text-anchor=\"end\">"
                + "\(words) at \(ByteCount(limit))</text>\n"
        }
        return text + "<text x=\"\(margin)\" y=\"\(rounded(bottom + 15))\">0</text>\n"
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private static func escaped(_ text: String) -> String {
        // XML has no way to write a control character.
        LogLines.escaped(text).reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
    }
}
