/// Regular expressions for numbers as ``Quantity`` reads them, in the dialect of JSON Schema (ECMA-262).
enum NumberPattern {
    /// Nothing but zeros, as in `0`: what switches a limit off.
    static let zero = "0(?:_?0)*"

    /// A whole number up to this one.
    ///
    /// - Parameter joint: what may stand between two digits.
    static func whole(upTo most: UInt64, joint: String = "_?") -> String {
        let digits = String(most).compactMap(\.wholeNumberValue)
        // From the last digit on: a smaller one with any behind it, or the same with what is below.
        var sameLength = ""
        for (index, digit) in digits.enumerated().reversed() {
            let rest = digits.count - index - 1
            guard rest > 0 else {
                sameLength = "[0-\(digit)]"
                continue
            }
            let same = "\(digit)\(joint)\(sameLength)"
            let anyAfter = "(?:\(joint)[0-9]){\(rest)}"
            sameLength = digit == 0 ? same : "(?:[0-\(digit - 1)]\(anyAfter)|\(same))"
        }
        let shorter = digits.count > 1 ? "[0-9](?:\(joint)[0-9]){0,\(digits.count - 2)}|" : ""
        return "(?:0\(joint))*(?:\(shorter)\(sameLength))"
    }

    /// A whole number of this range.
    static func whole(_ range: ClosedRange<UInt64>, joint: String = "_?") -> String {
        let whole = whole(upTo: range.upperBound, joint: joint)
        guard range.lowerBound > 0 else { return whole }
        let below = self.whole(upTo: range.lowerBound - 1, joint: joint)
        return "(?!(?:\(below))(?![0-9_]))(?:\(whole))"
    }

    /// Digits with at most one point, and no digit after it where it is this limit itself.
    static func decimal(upTo most: UInt64) -> String {
        "\(decimal(below: most))|0*\(most)(?:\\.0*)?"
    }

    /// Digits with at most one point, below this limit.
    static func decimal(below limit: UInt64) -> String {
        "(?:\(whole(upTo: limit - 1, joint: "")))(?:\\.[0-9]*)?"
    }
}
