import SergeantCG
import Testing

/// share/sergeantcg.catalog, which `journalctl -x` explains entries with.
@Suite struct Catalog {
    private struct Entry {
        var id: String
        var header: [String: String]
        var text: String

        /// The names between two `@`.
        var fields: Set<String> {
            Set(
                ((header["Subject"] ?? "") + "\n" + text).matches(of: /@([A-Z_]+)@/).map { String($0.1) })
        }
    }

    private let entries: [Entry]

    init() throws {
        let text = try Checkout.text("share/sergeantcg.catalog")
        entries = try text.split(separator: "\n-- ").dropFirst().map { part in
            let lines = part.split(separator: "\n", omittingEmptySubsequences: false)
            let blank = try #require(lines.firstIndex(of: ""))
            let header = lines[1..<blank].compactMap { $0.firstMatch(of: /^([A-Za-z-]+): (.+)$/) }
            try #require(header.count == blank - 1, "\(part)")
            return Entry(
                id: String(lines[0]),
                header: Dictionary(header.map { (String($0.1), String($0.2)) }, uniquingKeysWith: { $1 }),
                text: lines[(blank + 1)...].joined(separator: "\n"))
        }
    }

    @Test func everyNumberIsExplainedOnce() {
        #expect(entries.map(\.id).sorted() == MessageID.allCases.map(\.rawValue).sorted())
        for entry in entries {
            #expect(
                entry.header["Subject"] != nil && entry.header["Defined-By"] == "sergeantcg", "\(entry.id)")
            #expect(entry.text.contains { $0.isLetter }, "\(entry.id)")
            // More would be hard to read in a terminal.
            #expect((entry.header["Subject"] ?? "").count <= 100, "\(entry.id)")
        }
    }

    /// One of each, with only what is always there.
    private func least() throws -> [Occurrence] {
        let id = IncarnationID(group: 0, slot: 1, number: 1)
        let memory = MemoryMeasurement(current: 2, unreclaimable: 1)
        var result: [Occurrence] = [
            .supervisorStarted, .supervisorReady, .supervisorUpgraded(from: "0"),
            .supervisorUpgradeRefused(reason: "r"),
            .supervisorStopping(.request), .supervisorStopped(.stopped),
            .supervisorReloading, .supervisorReloaded(fault: nil), .supervisorBroken(sentence: "s"),
            .hostTrouble(nil, sentence: "s"), .hostNotice(sentence: "s"),
            .workerStarted(id, pid: 1, replaces: nil), .workerAdopted(id, pid: 1), .workerReady(id, pid: 1),
            .workerStopping(id, pid: 1, .restart),
            .workerMemoryAlarm(id, pid: 1, memory, wire: nil),
            .workerMemoryLimit(id, pid: 1, memory, limit: 1),
            .workerMemoryExcess(id, pid: 1, memory, limit: 1, sustain: .seconds(1)),
            .workerMemoryPressure(id, pid: 1), .workerYielding(id, pid: 1, .restart),
            .workerNotReplaced(id.slot, after: .finished),
            .workerOOM(id, pid: 1, kills: 1, .ancestor, mainKilled: false), .workerLeftovers(id, pid: nil),
            .workerStuck(id, pid: nil, errno: 0, attempts: 1),
            .workerBackoff(id.slot, delay: .seconds(1), failures: 1), .workerPaced(id.slot),
            .workerLeaving(id, pid: 1), .workerWatchdog(id, pid: 1, timeout: nil),
            .workerStatus(id, pid: 1, "s"),
            .workerPidsLimit(id, pid: 1, refusals: 1, limit: 1, .worker),
            .groupFailed(group: 0, .cannotRun(id)), .groupScaled(group: 0, from: 1, to: 2),
            .rollStarted(group: 0, slots: 1), .rollEnded(group: 0, .completed),
            .rollEnded(group: 0, .failed(id, .crashed)), .rollEnded(group: 0, .stopped),
        ]
        for reason in Reason.allCases {
            let end: Occurrence.End
            switch reason {
            case .startFailed:
                end = .init(
                    reason: reason, exit: nil, failure: StartFailure(isPermanent: false, sentence: "s"),
                    lifetime: .zero, isLast: false)
                result.append(.workerExited(id, pid: nil, end))
            case .oomKilled:
                // The counter that tells of it comes with the memory controller, and so does the peak.
                let exit = Exit(
                    status: .signal(9, coreDumped: false), memory: MemoryCounters(oomKill: 1), memoryPeak: 1)
                end = .init(reason: reason, exit: exit, lifetime: .zero, isLast: false)
                result.append(.workerExited(id, pid: 1, end))
            default:
                let exit = Exit(status: .code(1))
                end = .init(reason: reason, exit: exit, lifetime: .zero, isLast: false)
                result.append(.workerExited(id, pid: 1, end))
                let unknown = Occurrence.End(
                    reason: reason, exit: Exit(status: .unknown), lifetime: .zero, isLast: false)
                result.append(.workerAccounted(id, try #require(Account(unknown, pid: nil, at: 0))))
            }
        }
        return result
    }

    /// A field that an entry has not is shown by its bare name, which explains nothing.
    @Test func eachFieldItNamesIsAlwaysThere() throws {
        let names = Names(groups: [.init(name: "g")], root: "/r")
        let records =
            try least().map { Record($0, names: names) }
            + [Record(.warning, "log_dropped", "m", [("lines", .unsigned(1))])]
        var present: [String: Set<String>] = [:]
        for record in records {
            let id = try #require(MessageID(of: record)).rawValue
            var journal = JournalEntry()
            journal.add(record)
            let fields = Set(try JournalEntries.fields(journal.bytes).map(\.name)).union(["SYSLOG_IDENTIFIER"]
            )
            present[id] = present[id]?.intersection(fields) ?? fields
        }
        for entry in entries where !entry.fields.isEmpty {
            guard let fields = present[entry.id] else {
                // Of occurrences that are about a worker or a group, whatever else they tell.
                #expect(entry.fields.isSubset(of: ["SERGEANT_WORKER", "SERGEANT_GROUP"]), "\(entry)")
                continue
            }
            #expect(entry.fields.isSubset(of: fields), "\(entry): \(entry.fields.subtracting(fields))")
        }
    }
}
