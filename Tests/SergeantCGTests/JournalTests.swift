import FoundationEssentials
import SergeantCG
import Testing

@Suite struct JournalEntries {
    private func bytes(_ name: String, _ value: String) -> [UInt8] {
        var entry = JournalEntry()
        entry.add(name, value)
        return entry.bytes
    }

    /// An entry as journald reads it: names and values, in order.
    static func fields(_ bytes: [UInt8]) throws -> [(name: String, value: String)] {
        var fields: [(String, String)] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = try #require(rest.firstIndex(of: UInt8(ascii: "\n")), "a field ends with a line")
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            if let equals = line.firstIndex(of: UInt8(ascii: "=")) {
                fields.append(
                    (
                        String(decoding: line[..<equals], as: UTF8.self),
                        String(decoding: line[(equals + 1)...], as: UTF8.self)
                    ))
            } else {
                try #require(rest.count >= 8)
                let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
                rest = rest.dropFirst(8)
                try #require(rest.count > length && rest[rest.startIndex + length] == UInt8(ascii: "\n"))
                fields.append(
                    (
                        String(decoding: line, as: UTF8.self),
                        String(decoding: rest.prefix(length), as: UTF8.self)
                    ))
                rest = rest.dropFirst(length + 1)
            }
        }
        return fields
    }

    private func fields(_ record: Record) throws -> [String: [String]] {
        var entry = JournalEntry()
        entry.add(record)
        return Dictionary(grouping: try Self.fields(entry.bytes), by: \.name).mapValues { $0.map(\.value) }
    }

    @Test func theExactBytes() {
        #expect(bytes("MESSAGE", "one line = one") == Array("MESSAGE=one line = one\n".utf8))
        #expect(bytes("A_1", "") == Array("A_1=\n".utf8))
        #expect(
            bytes("STACKTRACE", "a\nb") == Array("STACKTRACE\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0]
                + Array("a\nb\n".utf8))
        #expect(bytes("X", "\n") == Array("X\n".utf8) + [1, 0, 0, 0, 0, 0, 0, 0] + Array("\n\n".utf8))
        let long = String(repeating: "ö\n", count: 100)
        #expect(
            bytes("X", long) == Array("X\n".utf8) + [0x2C, 1, 0, 0, 0, 0, 0, 0] + Array(long.utf8) + [10])
        #expect(bytes("X", "a\0b\r") == Array("X=a\0b\r\n".utf8))
    }

    @Test(arguments: [
        "", "_PID", "1A", "a", "A B", "A=B", "A\nB", "Ä", "A-B", String(repeating: "A", count: 65),
    ])
    func aNameThatJournaldRefuses(name: String) {
        #expect(bytes(name, "x").isEmpty)
    }

    @Test func fieldsAreAddedInOrder() {
        var common = JournalEntry()
        common.add("A", "1")
        var entry = JournalEntry(beginningAs: common)
        entry.add("B", "2")
        entry.add("B", "3")
        #expect(entry.bytes == Array("A=1\nB=2\nB=3\n".utf8))
    }

    @Test func anEndHasSystemdsNames() throws {
        let id = IncarnationID(group: 0, slot: 2, number: 5)
        let exit = Exit(
            status: .signal(9, coreDumped: false),
            report: nil, memory: MemoryCounters(oomKill: 2), memoryPeak: 4096, cpuMicroseconds: 12)
        let record = Record(
            .workerExited(
                id, pid: 77,
                Occurrence.End(reason: .oomKilled, exit: exit, lifetime: .seconds(2), isLast: false)),
            names: Names(groups: [.init(name: "crawl")], root: "/r"))
        let fields = try fields(record)
        #expect(
            fields == [
                "MESSAGE": [record.message], "PRIORITY": ["2"],
                "MESSAGE_ID": [MessageID.workerOOMKilled.rawValue],
                "SERGEANT_EVENT": ["worker_exited"], "SERGEANT_GROUP": ["crawl"],
                "SERGEANT_WORKER": ["crawl-2"], "SERGEANT_SLOT": ["2"], "SERGEANT_INCARNATION": ["5"],
                "SERGEANT_REASON": ["oom_killed"], "OBJECT_PID": ["77"], "EXIT_CODE": ["killed"],
                "EXIT_STATUS": ["9"], "LIFETIME_USEC": ["2000000"], "MEMORY_PEAK": ["4096"],
                "CPU_USAGE_NSEC": ["12000"], "OOM_KILLS": ["2"],
            ])
    }

    @Test func everyKindOfValue() throws {
        let record = Record(
            .warning, "nothing_known", "m",
            [
                ("exit_code", .integer(-3)), ("cpu_usage_usec", .unsigned(.max)),
                ("main_killed", .boolean(true)),
                ("unkillable_threads", .texts(["a", "b\nc"])), ("bad-name", .text("x")),
            ])
        #expect(
            try fields(record) == [
                "MESSAGE": ["m"], "PRIORITY": ["4"], "SERGEANT_EVENT": ["nothing_known"],
                "EXIT_CODE": ["exited"], "EXIT_STATUS": ["-3"], "CPU_USAGE_NSEC": ["\(UInt64.max)"],
                "MAIN_KILLED": ["yes"], "UNKILLABLE_THREADS": ["a", "b\nc"],
            ])
    }

    @Test func anInstanceHasItsOwnIdentifier() {
        #expect(JournalObserver.identifier(ofInstance: Configuration.defaultName) == "sergeantcg")
        #expect(JournalObserver.identifier(ofInstance: "crawl") == "sergeantcg-crawl")
    }
}

@Suite struct MessageIDs {
    @Test func eachIsANumberOfItsOwn() {
        for id in MessageID.allCases {
            #expect(id.rawValue.wholeMatch(of: /[0-9a-f]{32}/) != nil, "\(id)")
        }
        #expect(Set(MessageID.allCases.map(\.rawValue)).count == MessageID.allCases.count)
        let used = Set(MessageID.events.values).union(Reason.allCases.map { MessageID(of: $0) })
        #expect(used == Set(MessageID.allCases), "each is some event's")
    }

    /// The events are named where occurrences are put into words; one without a number would not be found by it.
    @Test func everyEventHasOne() throws {
        let words = try Checkout.text("Sources/SergeantCG/Telemetry/Record+Occurrence.swift")
        let events = Set(
            words.matches(of: /"((?:supervisor|worker|group|roll)_[a-z_]+)"/).map { String($0.1) })
        #expect(events.count >= 17)
        // The names of fields among them.
        for event in events where event != "worker_exited" {
            #expect(MessageID.events[event] != nil, "\(event) has no MESSAGE_ID")
        }
        #expect(
            Set(MessageID.events.keys).subtracting(events)
                .isSubset(of: [
                    "log_dropped", "worker_watchdog", "worker_status", "roll_started", "roll_ended",
                ]))
    }

    @Test(arguments: Reason.allCases) func anEndByItsReason(reason: Reason) {
        let record = Record(.info, "worker_exited", "", [("reason", .text(reason.rawValue))])
        #expect(MessageID(of: record) == MessageID(of: reason))
    }
}

/// The files beside the sources.
enum Checkout {
    static func text(_ path: String, from file: String = #filePath) throws -> String {
        let root = file.split(separator: "/").dropLast(3).joined(separator: "/")
        return try String(contentsOf: URL(filePath: "/\(root)/\(path)"), encoding: .utf8)
    }
}
