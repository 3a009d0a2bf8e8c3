import Supervision

/// Every slot of every group, in one row, for a place that is found without hashing.
struct Layout {
    private let first: [Int]
    let sizes: [Int]
    let count: Int

    /// - Parameter sizes: how many slots each group may ever have.
    init(_ sizes: [Int]) {
        self.sizes = sizes
        var places: [Int] = []
        var next = 0
        for size in sizes {
            places.append(next)
            next += size
        }
        first = places
        count = next
    }

    /// Nil where there is no such slot.
    func place(of slot: SlotID) -> Int? {
        guard slot.group >= 0, slot.group < sizes.count, slot.slot >= 1, slot.slot <= sizes[slot.group] else {
            return nil
        }
        return first[slot.group] + slot.slot - 1
    }
}
