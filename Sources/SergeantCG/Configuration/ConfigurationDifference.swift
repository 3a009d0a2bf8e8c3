/// What must be done so that what runs by one configuration runs by another.
package struct ConfigurationDifference {
    package enum Change {
        /// The group at this place gets another configuration. Without `rolls` its living workers go on as they were
        /// started: it is only the supervisor that treats them otherwise.
        case configure(Int, GroupConfiguration, rolls: Bool)
        /// The group at this place is to have no worker any more.
        case drain(Int)
        case add(GroupConfiguration)
    }

    package private(set) var changes: [Change] = []
    /// What cannot be changed while supervision goes on, a sentence each.
    package private(set) var refusals: [String] = []

    /// The groups that workers will be started of, in the order of the changes.
    package var groups: [GroupConfiguration] {
        changes.compactMap { change in
            switch change {
            case .configure(_, let group, _), .add(let group): group
            case .drain: nil
            }
        }
    }

    /// - Parameter running: in the order of their numbers, the groups that were drained before included.
    package init(from running: Configuration, to wanted: Configuration) {
        for (index, group) in running.groups.enumerated() {
            guard var next = wanted.groups.first(where: { $0.name == group.name }) else {
                if group.workers > 0 { changes.append(.drain(index)) }
                continue
            }
            next.openFileLimit = group.openFileLimit
            next.oomScoreAdjustment = group.oomScoreAdjustment
            guard next != group else { continue }
            changes.append(.configure(index, next, rolls: !group.startsWorkers(as: next)))
        }
        let known = Set(running.groups.map(\.name))
        for group in wanted.groups where !known.contains(group.name) { changes.append(.add(group)) }
        if wanted.name != running.name { refusals.append("the name of the instance stays '\(running.name)'") }
        if wanted.accounting != running.accounting { refusals.append("the account goes on where it is kept") }
        if wanted.place != running.place { refusals.append("the place of the cgroups stays as it is") }
    }
}

extension GroupConfiguration {
    /// A worker that this configuration started is the same as one that the other would start: they differ only in how
    /// many there are, in limits that are changed on a living worker, and in what is done about those that end.
    fileprivate func startsWorkers(as other: GroupConfiguration) -> Bool {
        var same = self
        same.workers = other.workers
        same.stopSignal = other.stopSignal
        same.stopTimeout = other.stopTimeout
        same.startTimeout = other.startTimeout
        same.minimumReady = other.minimumReady
        same.backOffInitial = other.backOffInitial
        same.backOffMaximum = other.backOffMaximum
        same.intensity = other.intensity
        same.maximumLifetime = other.maximumLifetime
        same.restart = other.restart
        same.surges = other.surges
        same.onLeftover = other.onLeftover
        same.memorySustain = other.memorySustain
        same.groupMemoryMax = other.groupMemoryMax
        same.limits.takeChangeable(of: other.limits)
        return same == other
    }
}
