/// A rolling restart of one group: which slots are still to be renewed, and which just are.
struct Roll: Hashable, Codable, Sendable {
    /// Slots still to be renewed, the next one first.
    var pending: [Int]
    /// Slots without their old worker, whose new one is not known to work.
    var underWay: [Int] = []
    /// How many slots may be without their worker; nil where the group's policy says so.
    var maximumUnavailable: Int?
    /// When its timer comes; nil where it is not set.
    var timer: Instant?
    /// When its timer came last: what only time can tell is known up to there.
    var settledUntil = Instant(nanoseconds: 0)

    init(_ slots: [Int], underWay: [Int]) {
        pending = slots
        self.underWay = underWay
    }

    var isDone: Bool { pending.isEmpty && underWay.isEmpty }

    /// Another request while it goes on: what was renewed already is renewed again, in its turn, but for those
    /// that are renewed `atOnce`.
    mutating func join(_ slots: [Int], atOnce: [Int], woken: [Int]) {
        underWay += woken.filter { !underWay.contains($0) }
        pending += slots.filter { !pending.contains($0) }
        pending.removeAll { atOnce.contains($0) }
    }

    /// A slot that was just to be renewed is renewed another time.
    mutating func putBack(_ slot: Int) {
        underWay.removeAll { $0 == slot }
        if !pending.contains(slot) { pending.append(slot) }
    }

    /// The slot is not to hold a worker any more.
    mutating func drop(_ slot: Int) {
        pending.removeAll { $0 == slot }
        underWay.removeAll { $0 == slot }
    }

    /// The group shrinks: the slots past `desired` are not renewed any more.
    mutating func drop(after desired: Int) {
        pending.removeAll { $0 > desired }
        underWay.removeAll { $0 > desired }
    }
}
