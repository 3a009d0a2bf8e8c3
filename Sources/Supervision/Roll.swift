/// A rolling restart of one group: which slots are still to be renewed, and which just are.
struct Roll: Hashable, Codable, Sendable {
    /// Slots still to be renewed, the next one first.
    var pending: [Int]
    /// Slots without their old worker, whose new one is not known to work.
    var underWay: [Int] = []
    /// When its timer comes; nil where it is not set.
    var timer: Instant?
    /// When its timer came last: what only time can tell is known up to there.
    var settledUntil = Instant(nanoseconds: 0)

    init(_ slots: [Int]) {
        pending = slots
    }

    var isDone: Bool { pending.isEmpty && underWay.isEmpty }

    /// Another request while it goes on: what was renewed already is renewed again, in its turn, but for those
    /// that are renewed `atOnce`.
    mutating func join(_ slots: [Int], atOnce: [Int]) {
        pending += slots.filter { !pending.contains($0) }
        pending.removeAll { atOnce.contains($0) }
    }

    /// The group shrinks: the slots past `desired` are not renewed any more.
    mutating func drop(after desired: Int) {
        pending.removeAll { $0 > desired }
        underWay.removeAll { $0 > desired }
    }
}
