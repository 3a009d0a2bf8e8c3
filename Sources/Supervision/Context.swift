/// What a decision sees and what it leaves behind: the moment, the group's policy, and the actions so far.
struct Context {
    let now: Instant
    var policy: GroupPolicy
    var isStopping: Bool
    var actions: [Action] = []
    /// A wire was moved or a worker grew: the shared tick starts short again.
    var wiresMoved = false

    mutating func act(_ action: Action) {
        actions.append(action)
    }

    mutating func report(_ occurrence: Occurrence) {
        actions.append(.report(occurrence))
    }
}
