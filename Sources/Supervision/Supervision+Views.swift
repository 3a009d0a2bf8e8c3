/// What supervision knows, for those who tell it to a person or a program. Reading costs nothing that grows
/// with what is not asked for.
extension Supervision {
    /// A group at this moment.
    public struct GroupView: Hashable, Sendable {
        /// What it is to be.
        public var policy: GroupPolicy
        /// How many workers there are to be; the first so many slots hold them.
        public var desired: Int
        /// How many are ready.
        public var ready: Int
        /// How many slots it has or had; those past `desired` are scaled down, and may still drain.
        public var slots: Int
        /// Slots that a rolling restart still has to bring to a ready worker; nil where none is under way.
        public var slotsToRoll: Int?
    }

    /// A slot at this moment.
    public struct SlotView: Hashable, Sendable {
        /// Which one.
        public var id: SlotID
        /// The incarnation that is to work in it.
        public var current: Incarnation?
        /// Those before it that are still on their way out, oldest first.
        public var departing: [Incarnation]
        /// When its next incarnation is to start, where a back-off or the pace says so.
        public var startsAt: Instant?
        /// The failures in a row that its back-off remembers.
        public var failures: Int
    }

    /// How many groups there are, those with no worker included.
    public var groupCount: Int { groups.count }

    /// How many workers there are to be in all.
    public var desired: Int { groups.reduce(0) { $0 + $1.desired } }

    /// How many workers are ready in all.
    public var ready: Int { tally.ready }

    /// Nil where there is no such group.
    public func group(_ index: Int) -> GroupView? {
        guard groups.indices.contains(index) else { return nil }
        let group = groups[index]
        return GroupView(
            policy: group.policy, desired: group.desired, ready: group.ready, slots: group.slots.count,
            slotsToRoll: group.roll.map { $0.pending.count + $0.underWay.count })
    }

    /// Nil where there is no such slot.
    public func view(of id: SlotID) -> SlotView? {
        guard let slot = slot(id) else { return nil }
        var startsAt: Instant?
        if case .until(let instant) = slot.waiting { startsAt = instant }
        return SlotView(
            id: id, current: slot.current, departing: slot.departing, startsAt: startsAt,
            failures: slot.failures)
    }

    /// Every timer that is set, for a host that takes over from another.
    public var timers: [TimerID: Instant] {
        var all: [TimerID: Instant] = [:]
        all[.wires] = wireTick
        for (index, group) in groups.enumerated() {
            all[.roll(group: index)] = group.roll?.timer
            for slot in group.slots {
                if case .until(let instant) = slot.waiting { all[.slot(slot.id)] = instant }
                for incarnation in slot.departing + [slot.current].compactMap(\.self) {
                    all[.incarnation(incarnation.id)] = incarnation.deadline
                    for (span, end) in incarnation.spans { all[.span(incarnation.id, span)] = end }
                }
            }
        }
        return all
    }
}
