/// Turns what comes in pieces into lines, of which each is at most so long.
package struct LineBreaker: Codable {
    /// The longest line, in bytes without its end; what is longer is broken.
    package static let longest = 8 << 10

    /// The beginning of a line whose end has not come.
    private var rest: [UInt8] = []

    package init() {}

    /// Takes a piece and hands over every line that it completes, without its end.
    package mutating func take(_ bytes: UnsafeRawBufferPointer, _ body: ([UInt8]) -> Void) {
        var start = 0
        while start < bytes.count {
            let room = Self.longest - rest.count
            let piece = bytes[start..<min(start + room, bytes.count)]
            if let end = piece.firstIndex(of: UInt8(ascii: "\n")) {
                rest.append(contentsOf: bytes[start..<end])
                start = end + 1
                finish(body)
            } else {
                rest.append(contentsOf: piece)
                start += piece.count
                guard rest.count == Self.longest else { continue }
                // A line that is just so long is whole.
                if start < bytes.count, bytes[start] == UInt8(ascii: "\n") { start += 1 }
                breakOff(body)
            }
        }
        // Most workers are silent most of the time.
        if rest.isEmpty { rest = [] }
    }

    /// Hands over what has no end, for nothing follows.
    package mutating func finish(_ body: ([UInt8]) -> Void, evenIfEmpty: Bool = true) {
        if evenIfEmpty || !rest.isEmpty { body(rest) }
        rest.removeAll(keepingCapacity: true)
    }

    /// Not in the midst of a character, if this is text in UTF-8.
    private mutating func breakOff(_ body: ([UInt8]) -> Void) {
        let tail = rest.suffix(4)
        var end = rest.count
        if let lead = tail.lastIndex(where: { $0 & 0xC0 != 0x80 }) {
            let length = max(1, (~rest[lead]).leadingZeroBitCount)
            if length <= 4, lead + length > rest.count { end = lead }
        }
        body(Array(rest[..<end]))
        rest.removeFirst(end)
    }
}
