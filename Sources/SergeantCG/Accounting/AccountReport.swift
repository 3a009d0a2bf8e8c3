/// What an account says of each group: what its workers cost, how much memory they need, and how they end.
package struct AccountReport: Sendable {
    /// One group of workers.
    package struct Group: Sendable {
        package let name: String
        /// Incarnations that have ended.
        package fileprivate(set) var count: UInt64 = 0
        /// User and system time of all of them.
        package fileprivate(set) var cpuMicroseconds: UInt64 = 0
        /// How many ended for each reason.
        package fileprivate(set) var ends: [String: UInt64] = [:]
        /// Bytes, from the smallest; of those whose memory was accounted.
        package fileprivate(set) var peaks: [UInt64] = []
        /// In bytes, of the last that had one.
        package fileprivate(set) var memoryLimit: UInt64?
        /// In bytes, of the last that had one.
        package fileprivate(set) var memoryMax: UInt64?

        /// The peak that this share of them did not go beyond; nil where none is known.
        package func peak(_ share: Double) -> UInt64? {
            guard !peaks.isEmpty else { return nil }
            return peaks[min(peaks.count - 1, Int((share * Double(peaks.count)).rounded(.up)) - 1)]
        }
    }

    /// In the order of their names.
    package private(set) var groups: [Group] = []
    /// Lines that could not be read.
    package private(set) var unreadable: UInt64 = 0

    private var places: [String: Int] = [:]

    package init() {}

    package mutating func take(_ line: [UInt8]) {
        guard let entry = AccountEntry(line) else {
            unreadable += 1
            return
        }
        let place = places[entry.group] ?? groups.count
        if place == groups.count {
            places[entry.group] = place
            groups.append(Group(name: entry.group))
        }
        groups[place].take(entry)
    }

    /// Nothing follows.
    package mutating func finish() {
        groups.sort { $0.name < $1.name }
        for place in groups.indices { groups[place].peaks.sort() }
    }
}

extension AccountReport.Group {
    fileprivate mutating func take(_ entry: AccountEntry) {
        count += 1
        // Whatever a file says, it is no reason to trap.
        cpuMicroseconds = Self.sum(
            cpuMicroseconds, Self.sum(entry.cpuUserMicroseconds ?? 0, entry.cpuSystemMicroseconds ?? 0))
        ends[entry.reason, default: 0] += 1
        if let peak = entry.memoryPeak { peaks.append(peak) }
        memoryLimit = entry.memoryLimit ?? memoryLimit
        memoryMax = entry.memoryMax ?? memoryMax
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
