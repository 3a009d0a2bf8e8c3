/// One place in a group that is to hold a running worker. Both numbers say where: the group's position in
/// the configuration, from 0, and the slot within it, from 1.
public struct SlotID: Hashable, Comparable, Codable, Sendable {
    /// The group's place in the configuration, from 0.
    public var group: Int
    /// The slot.
    public var slot: Int

    /// Takes each number as it is.
    public init(group: Int, slot: Int) {
        self.group = group
        self.slot = slot
    }

    /// In the order of groups, slots and incarnations.
    public static func < (left: SlotID, right: SlotID) -> Bool {
        (left.group, left.slot) < (right.group, right.slot)
    }
}

/// One life of a worker: a slot, and which incarnation of it, from 1. Never used twice in one supervision.
public struct IncarnationID: Hashable, Comparable, Codable, Sendable {
    /// The slot.
    public var slot: SlotID
    /// Which incarnation of the slot, from 1.
    public var number: Int

    /// Takes each number as it is.
    public init(slot: SlotID, number: Int) {
        self.slot = slot
        self.number = number
    }

    /// Takes each number as it is.
    public init(group: Int, slot: Int, number: Int) {
        self.init(slot: SlotID(group: group, slot: slot), number: number)
    }

    /// The group's place in the configuration, from 0.
    public var group: Int { slot.group }

    /// In the order of groups, slots and incarnations.
    public static func < (left: IncarnationID, right: IncarnationID) -> Bool {
        (left.slot, left.number) < (right.slot, right.number)
    }
}
