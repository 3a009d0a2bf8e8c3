/// Sizes, counts and durations as people write them on a command line.
public enum Quantity {
    /// An amount of memory.
    public enum Size: Hashable, Sendable {
        case bytes(UInt64)
        /// Of the memory that the supervisor may use itself.
        case percent(Double)
    }

    /// `100_000_000`, `512M`, `1.5G`, `25%`; K, M, G and T count in 1024. Nil where it is none of these.
    public static func size(_ text: String) -> Size? {
        if text.hasSuffix("%") {
            guard let percent = number(text.dropLast()), percent <= 100 else { return nil }
            return .percent(percent)
        }
        if let bytes = count(text) { return .bytes(bytes) }
        let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
        var digits = Substring(text)
        if digits.hasSuffix("iB") { digits = digits.dropLast(2) }
        guard let unit = digits.last, let shift = shifts[Character(unit.uppercased())] else { return nil }
        digits = digits.dropLast()
        if let whole = count(String(digits)) {
            let (bytes, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
            return overflow ? nil : .bytes(bytes)
        }
        guard let value = number(digits) else { return nil }
        let bytes = value * Double(UInt64(1) << shift)
        return bytes < 9e18 ? .bytes(UInt64(bytes)) : nil
    }

    /// What ``size(_:)`` takes for bytes, as a regular expression.
    package static let bytesPattern: String = {
        let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)].map { unit, shift in
            let whole = NumberPattern.whole(upTo: .max >> UInt64(shift))
            // Parts of a unit are counted in floating point, up to 9e18 bytes.
            let parts = NumberPattern.decimal(below: 9_000_000_000_000_000_000 >> UInt64(shift))
            return "(?:\(whole)|\(parts))\(Spelling.anyCase(unit))(?:iB)?"
        }
        return ([NumberPattern.whole(upTo: .max)] + units).joined(separator: "|")
    }()

    /// What ``size(_:)`` takes for a share.
    package static let percentPattern = "(?:\(NumberPattern.decimal(upTo: 100)))%"

    /// A whole number, with `_` between digits where Python allows it.
    public static func count(_ text: String) -> UInt64? {
        guard let first = text.utf8.first, let last = text.utf8.last, isDigit(first), isDigit(last),
            text.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: "_") }), !text.contains("__")
        else { return nil }
        return UInt64(text.filter { $0 != "_" })
    }

    /// Seconds: some nine years, more than any limit of time needs.
    package static let longestDuration: UInt64 = 300_000_000

    private static let timeUnits: [(suffix: String, seconds: Double)] = [
        ("ms", 0.001), ("us", 0.000_001), ("min", 60), ("m", 60), ("h", 3600), ("d", 86400), ("s", 1),
        ("", 1),
    ]

    /// What ``duration(_:)`` takes, as a regular expression.
    package static let durationPattern = timeUnits.map { suffix, seconds in
        let limit = (Double(longestDuration) / seconds).rounded(.up)
        return "(?:\(NumberPattern.decimal(below: UInt64(limit))))\(suffix)"
    }.joined(separator: "|")

    /// `8`, `0.5`, `200ms`, `30s`, `10min`, `1h`; a bare number is seconds.
    public static func duration(_ text: String) -> Duration? {
        for (suffix, scale) in timeUnits where text.hasSuffix(suffix) {
            guard let value = number(text.dropLast(suffix.count)) else { continue }
            let seconds = value * scale
            return seconds < Double(longestDuration) ? .nanoseconds(Int64(seconds * 1e9)) : nil
        }
        return nil
    }

    /// Digits with at most one point; no sign, no exponent, no word that `Double` would take.
    static func number(_ text: some StringProtocol) -> Double? {
        guard let first = text.utf8.first, isDigit(first),
            text.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") })
        else { return nil }
        return Double(String(text))
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}
