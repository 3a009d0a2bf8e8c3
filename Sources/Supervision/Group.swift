/// One group: its slots, and whether it still is to run.
struct Group: Hashable, Sendable {
    let policy: GroupPolicy
    var slots: [Slot]
    var failures = FailureWindow()
    /// A worker of it was ready once: from then on nothing is fatal at once.
    var wasReady = false

    init(index: Int, policy: GroupPolicy) {
        self.policy = policy
        slots = (1...max(policy.workers, 1)).map { Slot(id: SlotID(group: index, slot: $0)) }
    }
}
