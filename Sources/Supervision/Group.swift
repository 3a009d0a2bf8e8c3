/// One group: its policy, its slots, and how many of those are to hold a worker.
struct Group: Hashable, Codable, Sendable {
    var policy: GroupPolicy
    /// Those past `desired` were scaled down: they get no worker, but keep count of their incarnations, so that
    /// no identity is used twice when the group grows again.
    var slots: [Slot] = []
    /// The first so many slots are to hold a worker.
    private(set) var desired = 0
    var failures = FailureWindow()
    /// A worker of it was ready once: from then on nothing is fatal at once.
    var wasReady = false
    /// A rolling restart that is under way.
    var roll: Roll?
    /// Workers to be renewed, once it is known whether there is room for their successors beside them.
    var surges: [Surge] = []
    /// How many slots hold a ready worker.
    var ready = 0

    /// How many slots had a ready worker that did not fail since.
    var established = 0

    /// Enough of its workers came up. One that finished and is being started again counts on: a pool of short tasks
    /// would else never be ready all at once. One that failed does not, until its successor is ready.
    var isEstablished: Bool { established >= min(policy.minimumReady ?? desired, desired) }

    init(index: Int, policy: GroupPolicy) {
        self.policy = policy
        resize(to: policy.workers, index: index)
    }

    mutating func resize(to workers: Int, index: Int) {
        desired = max(workers, 0)
        while slots.count < desired { slots.append(Slot(id: SlotID(group: index, slot: slots.count + 1))) }
    }
}
