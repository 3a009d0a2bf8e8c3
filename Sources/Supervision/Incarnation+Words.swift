/// What a worker says of itself over its notify socket (sd_notify(3)).
extension Incarnation {
    // MARK: Watchdog

    /// The worker asks for another time; that is a sign of life too.
    mutating func setWatchdog(_ interval: Duration, _ context: inout Context) {
        watchdog = interval > .zero ? interval : nil
        lastAlive = context.now
        guard phase == .ready else { return }
        guard let watchdog else { return clearDeadline(&context) }
        let due = context.now + watchdog
        // A later one is found when the deadline that is set comes.
        if deadline.map({ due < $0 }) ?? true { setDeadline(due, &context) }
    }

    mutating func lookAtWatchdog(_ context: inout Context) -> Consequence? {
        guard let watchdog, let lastAlive else { return nil }
        let due = lastAlive + watchdog
        guard context.now >= due else {
            setDeadline(due, &context)
            return nil
        }
        return missWatchdog(timeout: watchdog, &context)
    }

    /// SIGABRT stands for the stop signal, once; the grace follows as ever.
    mutating func missWatchdog(timeout: Duration?, _ context: inout Context) -> Consequence? {
        guard let pid else { return nil }
        cause = .watchdog
        context.report(.workerWatchdog(id, pid: pid, timeout: timeout))
        withdrawLimits(&context)
        phase = .draining
        context.act(.abort(id))
        context.report(.workerStopping(id, pid: pid, .watchdog))
        setDeadline(context.now + context.policy.stopTimeout, &context)
        return .leaving(.watchdog)
    }

    // MARK: More time

    /// The deadline of a start or a stop moves away, never nearer. After a stop of all that has an end.
    mutating func extend(by time: Duration, _ context: inout Context) {
        guard let deadline else { return }
        var extended = context.now + max(time, .zero)
        if let since = context.stoppingSince { extended = min(extended, since + Tempo.shutdownExtension) }
        if extended > deadline { setDeadline(extended, &context) }
    }

    /// What was extended before the stop of all has an end too.
    mutating func boundExtension(_ context: inout Context) {
        guard context.isStopping, let deadline else { return }
        let grace = context.policy.stopTimeout + Tempo.throttleAllowance
        let latest = context.now + max(grace, Tempo.shutdownExtension)
        if deadline > latest { setDeadline(latest, &context) }
    }

    // MARK: Leaving

    /// It ends by itself: its slot waits for how that ends before it decides on a successor, but not for ever.
    mutating func leave(_ context: inout Context) {
        phase = .leaving
        if let pid { context.report(.workerLeaving(id, pid: pid)) }
        withdrawLimits(&context)
        setDeadline(context.now + context.policy.stopTimeout, &context)
    }

    /// It is stopping already, so a stop signal would come as its second: it keeps the grace that runs.
    mutating func stopLeaving(_ reason: Reason, _ context: inout Context) -> Consequence {
        cause = reason
        phase = .draining
        if let pid { context.report(.workerStopping(id, pid: pid, reason)) }
        boundExtension(&context)
        return .leaving(reason)
    }
}
