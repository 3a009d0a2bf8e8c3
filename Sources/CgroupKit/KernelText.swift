/// The shapes of text that the kernel writes into a cgroup's files, read from the bytes where they lie.
///
/// Nothing here allocates or traps, whatever the bytes.
enum KernelText {
    static let newline = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")

    /// The decimal number that is all of `range`; `nil` if it is empty, not digits only, or past 64 bits.
    static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        guard !range.isEmpty else { return nil }
        var value: UInt64 = 0
        for index in range {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// The number with or without decimals that is all of `range`, as `12.34`; `nil` for anything else.
    static func decimal(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
        guard let point = range.first(where: { bytes[$0] == UInt8(ascii: ".") }) else {
            return number(bytes, range).map { Double($0) }
        }
        guard let whole = number(bytes, range.lowerBound..<point),
            let decimals = number(bytes, point + 1..<range.upperBound)
        else { return nil }
        var scale = 1.0
        for _ in point + 1..<range.upperBound { scale *= 10 }
        return Double(whole) + Double(decimals) / scale
    }

    /// Whether the bytes of `range` are exactly `text`.
    static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { expected in
            var index = range.lowerBound
            for byte in expected {
                if bytes[index] != byte { return false }
                index += 1
            }
            return true
        }
    }

    /// Whether the bytes of `range` begin with `text`.
    static func begins(_ bytes: Span<UInt8>, _ range: Range<Int>, with text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard range.count >= length else { return false }
        return equals(bytes, range.lowerBound..<range.lowerBound + length, text)
    }

    /// `range` without a line end and spaces behind it.
    static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var end = range.upperBound
        while end > range.lowerBound, bytes[end - 1] == newline || bytes[end - 1] == space { end -= 1 }
        return range.lowerBound..<end
    }

    /// A single number with or without a line end.
    static func number(_ bytes: Span<UInt8>) -> UInt64? {
        number(bytes, trimmed(bytes, 0..<bytes.count))
    }

    /// A single number, or `max` as `.some(.none)`. `nil` for anything else.
    static func limit(_ bytes: Span<UInt8>) -> UInt64?? {
        let range = trimmed(bytes, 0..<bytes.count)
        if equals(bytes, range, "max") { return .some(.none) }
        guard let value = number(bytes, range) else { return nil }
        return .some(.some(value))
    }

    /// The text of `range`; bytes that are no UTF-8 are replaced.
    static func string(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        var copy: [UInt8] = []
        copy.reserveCapacity(range.count)
        for index in range { copy.append(bytes[index]) }
        return String(decoding: copy, as: UTF8.self)
    }

    /// The lines of some bytes, one after the other, without their line ends.
    struct Lines {
        private var position = 0

        mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
            guard position < bytes.count else { return nil }
            let start = position
            var end = start
            while end < bytes.count, bytes[end] != KernelText.newline { end += 1 }
            position = end + 1
            return start..<end
        }
    }

    /// The words of a range, one after the other, parted by spaces, tabs and line ends.
    struct Words {
        private var position: Int
        private let end: Int

        init(of range: Range<Int>) {
            position = range.lowerBound
            end = range.upperBound
        }

        mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
            while position < end, isBlank(bytes[position]) { position += 1 }
            guard position < end else { return nil }
            let start = position
            while position < end, !isBlank(bytes[position]) { position += 1 }
            return start..<position
        }

        private func isBlank(_ byte: UInt8) -> Bool {
            byte == KernelText.space || byte == UInt8(ascii: "\t") || byte == KernelText.newline
        }
    }

    /// Calls `body` with key and value of every line `key value` ("flat keyed"); other lines are passed over.
    static func forEachPair(_ bytes: Span<UInt8>, _ body: (_ key: Range<Int>, _ value: UInt64) -> Void) {
        var lines = Lines()
        while let line = lines.next(in: bytes) {
            var words = Words(of: line)
            guard let key = words.next(in: bytes), let text = words.next(in: bytes),
                words.next(in: bytes) == nil, let value = number(bytes, text)
            else { continue }
            body(key, value)
        }
    }
}
