internal import CLinux
internal import FoundationEssentials
internal import Glibc
package import Supervision

/// What occurred lately, each with its number: for whoever asks after it later, or reads more slowly than it occurs.
///
/// Bounded: the oldest is forgotten first. What workers say of themselves (``Occurrence/workerStatus``) and alarms below a
/// limit are not kept: one worker that talks would drive all else out.
package struct RecentPast {
    /// A line of the JSON log, without its end.
    package struct Entry: Hashable, Sendable {
        /// They count from 1, over an upgrade too.
        package var number: UInt64
        package var line: [UInt8]
    }

    /// What is told in one go.
    package struct Batch: Hashable, Sendable {
        package var entries: [Entry]
        /// So many came after the number that was asked for, and are forgotten.
        package var lost: UInt64
    }

    /// So many occurrences at most.
    package static let most = 1024
    /// So many bytes at most, as they are estimated.
    private static let capacity = 1 << 20
    /// So many bytes of lines go into one batch, and are handed to another image; one line is taken whatever its size.
    package static let batchCapacity = 32 << 10
    private static let inheritedCapacity = 256 << 10
    /// A text longer than that is cut: the log has the whole of it.
    private static let longestText = 8 << 10

    /// A line is made of an occurrence when somebody asks for it, which is seldom.
    private enum Content {
        case occurrence(Occurrence, Names, at: timespec)
        case line([UInt8])
    }

    private var contents: [Content] = []
    /// Those before it are forgotten, and wait to be removed together.
    private var start = 0
    private var weight = 0
    /// The number of the last one; 0 before the first.
    package private(set) var last: UInt64 = 0

    package init() {}

    package mutating func note(_ occurrence: Occurrence, named names: Names) {
        switch occurrence {
        case .workerStatus, .workerMemoryAlarm: return
        default: break
        }
        append(.occurrence(occurrence, names, at: .wallClock()))
    }

    /// What came after this number, as much as goes into one batch.
    package func batch(after number: UInt64) -> Batch {
        let first = last - UInt64(contents.count - start) + 1
        let next = max(number < .max ? number + 1 : number, first)
        var batch = Batch(entries: [], lost: number < last ? next - number - 1 : 0)
        guard next <= last else { return batch }
        var size = 0
        for index in start + Int(next - first)..<contents.count {
            let line = Self.line(contents[index])
            size += line.count
            if size > Self.batchCapacity, !batch.entries.isEmpty { break }
            batch.entries.append(Entry(number: first + UInt64(index - start), line: line))
        }
        return batch
    }

    // MARK: Keeping

    private mutating func append(_ content: Content) {
        contents.append(content)
        last += 1
        weight += Self.weight(of: content)
        while contents.count - start > Self.most || (weight > Self.capacity && contents.count - start > 1) {
            weight -= Self.weight(of: contents[start])
            // It is let go of at once, however long its place stays.
            contents[start] = .line([])
            start += 1
        }
        if start > Self.most / 4 {
            contents.removeFirst(start)
            start = 0
        }
    }

    private static func weight(of content: Content) -> Int {
        switch content {
        case .line(let line): return 64 + line.count
        case .occurrence(.workerExited(_, _, let end), _, _):
            let report = end.exit?.report
            let texts = [report?.exception, report?.stacktrace, report?.summary]
            return 512 + texts.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
        case .occurrence: return 512
        }
    }

    private static func line(_ content: Content) -> [UInt8] {
        switch content {
        case .line(let line): return line
        case .occurrence(let occurrence, let names, let time):
            var record = Record(occurrence, names: names)
            record.message = cut(record.message)
            record.fields = record.fields.map { name, value in
                if case .text(let text) = value { (name, .text(cut(text))) } else { (name, value) }
            }
            return LogLines.json(record, at: time)
        }
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > longestText else { return text }
        return String(text.prefix(longestText / 4)) + "…"
    }

    // MARK: Across an upgrade

    package struct Memory: Codable {
        var last: UInt64
        var lines: [Data]
    }

    package var memory: Memory {
        var lines: [Data] = []
        var size = 0
        for content in contents[start...].reversed() {
            let line = Self.line(content)
            size += line.count
            guard size <= Self.inheritedCapacity else { break }
            lines.append(Data(line))
        }
        return Memory(last: last, lines: lines.reversed())
    }

    package init(_ memory: Memory) {
        last = memory.last - UInt64(memory.lines.count)
        for line in memory.lines { append(.line(Array(line))) }
    }
}
