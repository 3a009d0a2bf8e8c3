import SergeantCG
import Supervision
import Testing

@Suite("What is remembered")
struct RecentPastTests {
    private static let names = Names(groups: [Names.Group(name: "web")], root: "/pool")
    private static let id = IncarnationID(group: 0, slot: 1, number: 1)

    private static func past(_ count: Int) -> RecentPast {
        var past = RecentPast()
        for number in 0..<count {
            past.note(.workerStarted(Self.id, pid: Int32(number), replaces: nil), named: Self.names)
        }
        return past
    }

    /// All batches from a number on, as a client asks for them.
    private static func all(_ past: RecentPast, after number: UInt64) -> (
        entries: [RecentPast.Entry], lost: UInt64
    ) {
        var entries: [RecentPast.Entry] = []
        var lost: UInt64 = 0
        var last = number
        while true {
            let batch = past.batch(after: last)
            lost += batch.lost
            guard let next = batch.entries.last?.number else { return (entries, lost) }
            entries += batch.entries
            last = next
        }
    }

    @Test("nothing at first")
    func empty() {
        let past = RecentPast()
        #expect(past.last == 0)
        for number in [0, 1, UInt64.max] {
            #expect(past.batch(after: number).entries.isEmpty && past.batch(after: number).lost == 0)
        }
    }

    @Test(
        "everything in its order, a batch at a time, from any number on",
        arguments: [0, 1, 17, 699, 700, 5000])
    func order(after number: UInt64) {
        let (entries, lost) = Self.all(Self.past(700), after: number)
        #expect(lost == 0)
        #expect(entries.map(\.number) == (number < 700 ? Array(number + 1...700) : []))
        for entry in entries {
            let line = String(decoding: entry.line, as: UTF8.self)
            #expect(line.hasPrefix("{\"time\":") && line.hasSuffix("}"))
            #expect(line.contains("\"pid\":\(entry.number - 1),"))
        }
        #expect(
            Self.past(700).batch(after: 0).entries.reduce(0) { $0 + $1.line.count }
                <= RecentPast.batchCapacity)
    }

    @Test("a thousand or so, and how many of those before are missing")
    func bounded() {
        let past = Self.past(10_000)
        let (entries, lost) = Self.all(past, after: 0)
        #expect(entries.count == RecentPast.most && past.last == 10_000)
        #expect(lost == 10_000 - UInt64(RecentPast.most))
        #expect(entries.first?.number == lost + 1 && entries.last?.number == 10_000)
        #expect(past.batch(after: lost).lost == 0)
        #expect(past.batch(after: lost - 1).lost == 1)
    }

    @Test("fewer where a worker's last words are long, and those shortened")
    func heavy() {
        var past = Self.past(20)
        for _ in 0..<40 {
            let report = WorkerReport(returnCode: 1, exception: String(repeating: "x", count: 100_000))
            let end = Occurrence.End(
                reason: .failed, exit: Exit(status: .code(1), report: report), lifetime: .seconds(1),
                isLast: false)
            past.note(.workerExited(Self.id, pid: 7, end), named: Self.names)
        }
        let (entries, lost) = Self.all(past, after: 0)
        #expect((5..<15).contains(entries.count), "\(entries.count)")
        #expect(lost == 60 - UInt64(entries.count))
        #expect(entries.allSatisfy { $0.line.count < 20_000 })
        #expect(entries.allSatisfy { String(decoding: $0.line, as: UTF8.self).contains("xxx…") })
    }

    @Test("nothing of what a worker says of itself")
    func statusIsLeftOut() {
        var past = Self.past(1)
        for _ in 0..<5000 { past.note(.workerStatus(Self.id, pid: 7, "busy"), named: Self.names) }
        #expect(past.last == 1)
    }

    @Test("the newest over an upgrade, under the same numbers")
    func upgrade() {
        let before = Self.past(5000)
        var after = RecentPast(before.memory)
        #expect(after.last == 5000)
        let (entries, _) = Self.all(after, after: 0)
        #expect(entries.count > 500)
        #expect(entries == Self.all(before, after: 5000 - UInt64(entries.count)).entries)
        after.note(.supervisorUpgraded(from: "1"), named: Self.names)
        #expect(after.batch(after: 5000).entries.map(\.number) == [5001])
    }
}
