internal import FoundationEssentials

/// What a supervisor answers to `Watch`, as a client reads it.
package struct EventBatch: Hashable, Sendable {
    /// One event.
    package struct Event: Hashable, Sendable {
        package var number: UInt64
        /// As the JSON log has it.
        package var line: String
        /// RFC 3339, UTC: of two, the earlier sorts before the later.
        package var time: String
        package var level: String
        package var message: String
    }

    /// How deep its JSON may be nested.
    private static let deepest = 8

    package var events: [Event] = []
    /// So many are forgotten.
    package var lost: UInt64

    private struct Counts: Decodable {
        var lost: UInt64
    }

    private struct Number: Decodable {
        var number: UInt64
    }

    private struct Line: Decodable {
        var time: String
        var level: String
        var message: String
    }

    /// Nil where the bytes are no such answer.
    package init?(json bytes: [UInt8]) {
        guard let outline = JSONOutline(bytes, deepest: Self.deepest), let list = outline["events"],
            let elements = JSONOutline.elements(of: list, in: bytes, deepest: Self.deepest),
            let counts = try? JSONDecoder().decode(Counts.self, from: Data(bytes))
        else { return nil }
        lost = counts.lost
        for element in elements {
            let bytes = Array(bytes[element])
            guard let place = JSONOutline(bytes, deepest: Self.deepest)?["line"],
                let number = try? JSONDecoder().decode(Number.self, from: Data(bytes)),
                let line = try? JSONDecoder().decode(Line.self, from: Data(bytes[place]))
            else { return nil }
            events.append(
                Event(
                    number: number.number, line: String(decoding: bytes[place], as: UTF8.self),
                    time: line.time,
                    level: line.level, message: line.message))
        }
    }
}
