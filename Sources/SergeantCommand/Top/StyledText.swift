/// A line for a terminal: pieces of text, each in a style.
package struct StyledText {
    /// How a piece looks, where the terminal has colours.
    package enum Style: String {
        case plain = ""
        case faint = "2"
        case good = "32"
        case warning = "33"
        case bad = "31"
        case chosen = "7"
        case bold = "1"
    }

    private var pieces: [(text: String, style: Style)] = []

    package init(_ text: String = "", _ style: Style = .plain) {
        append(text, style)
    }

    mutating func append(_ text: String, _ style: Style = .plain) {
        if !text.isEmpty { pieces.append((text, style)) }
    }

    /// Without its styles.
    package var plain: String { pieces.map(\.text).joined() }

    /// As control sequences (ECMA-48, SGR), no wider than so many columns.
    ///
    /// - Parameter style: put on every piece instead of its own.
    package func written(columns: Int, hasColours: Bool, as style: Style? = nil) -> String {
        var left = columns
        var result = ""
        for piece in pieces where left > 0 {
            let text = piece.text.prefix(left)
            left -= text.count
            let number = (style ?? piece.style).rawValue
            // What is chosen and what is bold is no colour.
            let isShown = hasColours || [.chosen, .bold].contains(style ?? piece.style)
            result += number.isEmpty || !isShown ? text : "\u{1B}[\(number)m\(text)\u{1B}[0m"
        }
        return result
    }
}
