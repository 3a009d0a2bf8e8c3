/// What a decision sees and what it leaves behind: the moment, the group's policy, and the actions so far.
package struct Context {
    let now: Instant
    var policy: GroupPolicy
    var isStopping: Bool
    /// When all was told to stop; nil while it was not, or where only a test asks.
    var stoppingSince: Instant?
    private var immediate: [Action] = []
    private var afterwards: [Action] = []
    /// A wire was moved or a worker grew: the shared tick starts short again.
    var wiresMoved = false

    package init(now: Instant, policy: GroupPolicy, isStopping: Bool) {
        self.now = now
        self.policy = policy
        self.isStopping = isStopping
    }

    /// What is to be done, in this order.
    package var actions: [Action] { afterwards.isEmpty ? immediate : immediate + afterwards }

    mutating func act(_ action: Action) {
        immediate.append(action)
    }

    /// What can wait until everything else is done: a successor starts before the dead are cleared away.
    mutating func actAfterwards(_ action: Action) {
        afterwards.append(action)
    }

    mutating func report(_ occurrence: Occurrence) {
        immediate.append(.report(occurrence))
    }
}
