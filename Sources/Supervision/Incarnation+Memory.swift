/// What memory means to an incarnation: alarms, looks, its way out once it has too much.
extension Incarnation {
    mutating func compare(_ now: MemoryCounters, _ context: inout Context) {
        let before = counters
        counters = now
        if oomPolicy == .continue, now.oomKill > before.oomKill, spans[.oom] == nil {
            setSpan(.oom, context.now + Tempo.oomSettling, &context)
        }
        guard wire != nil, now.high > before.high || now.max > before.max else { return }
        alarmed = true
        context.act(.measureMemory(id))
    }

    mutating func judge(_ measurement: MemoryMeasurement, _ context: inout Context) -> Consequence? {
        guard var wire, let pid else { return nil }
        let wasAlarmed = alarmed
        alarmed = false
        let grew = wire.grew(since: measurement)
        let judgement = wire.judge(measurement, alarmed: wasAlarmed)
        switch judgement {
        case .breach:
            guard excessIsOver || context.policy.memorySustain <= .zero else {
                bear(measurement, pid, &wire, &context)
                keepObserved(measurement, &wire, &context)
                self.wire = wire
                return nil
            }
            return breach(measurement, limit: wire.threshold, pid, &context)
        case .slide(let place):
            context.act(.setMemoryHigh(id, place))
            context.wiresMoved = true
        case .keep:
            if grew { context.wiresMoved = true }
        }
        excessIsOver = false
        clearSpan(.excess, &context)
        if wasAlarmed {
            context.report(.workerMemoryAlarm(id, pid: pid, measurement, wire: wire.position))
        }
        keepObserved(measurement, &wire, &context)
        self.wire = wire
        return nil
    }

    /// At the hard limit alone, its events storm and say nothing new.
    private func keepObserved(
        _ measurement: MemoryMeasurement, _ wire: inout Tripwire, _ context: inout Context
    ) {
        let hasRoom = wire.position != nil || wire.hasRoom(measurement)
        guard wire.isObserved != hasRoom else { return }
        wire.isObserved = hasRoom
        context.act(.observeMemoryEvents(id, hasRoom))
        context.wiresMoved = true
    }

    /// Lift `high`, so that the way out is not throttled; bound what the way out may use; then signal.
    mutating func breach(
        _ measurement: MemoryMeasurement, limit: UInt64, _ pid: Int32, _ context: inout Context
    ) -> Consequence {
        context.report(.workerMemoryLimit(id, pid: pid, measurement, limit: limit))
        cause = .memoryLimit
        let hardLimit = wire?.hardLimit ?? .max
        withdrawLimits(&context)
        let headroom = max(measurement.current / 4, 16 << 20)
        let (sum, overflow) = measurement.current.addingReportingOverflow(headroom)
        let bound = min(overflow ? .max : sum, hardLimit)
        // Sockets are charged past the hard limit; to write it again would have the kernel reclaim or kill.
        if bound >= measurement.current { context.act(.setMemoryMax(id, bound)) }
        sendStop(&context, extra: Tempo.throttleAllowance)
        return .leaving(.memoryLimit)
    }

    /// It may be above its threshold for a while, and is not held back meanwhile. The shared tick notices when it is not
    /// any more.
    private mutating func bear(
        _ measurement: MemoryMeasurement, _ pid: Int32, _ wire: inout Tripwire, _ context: inout Context
    ) {
        if spans[.excess] == nil {
            let sustain = context.policy.memorySustain
            context.report(
                .workerMemoryExcess(id, pid: pid, measurement, limit: wire.threshold, sustain: sustain))
            setSpan(.excess, context.now + sustain, &context)
        }
        guard wire.position != nil else { return }
        context.act(.setMemoryHigh(id, nil))
        wire.lift()
        context.wiresMoved = true
    }

    /// Takes on the limits of its group, which may be below what it holds.
    mutating func limit(_ measurement: MemoryMeasurement, _ context: inout Context) -> Consequence? {
        awaitsLimits = false
        let policy = context.policy
        // The look that follows puts the wire where it belongs.
        if wire != nil { context.act(.setMemoryHigh(id, nil)) }
        wire = policy.memoryThreshold.map { Tripwire(threshold: $0, hardLimit: policy.memoryMax) }
        wire?.lift()
        if let hard = policy.memoryMax, hard < measurement.current {
            if measurement.unreclaimable > hard - hard / 32, let pid {
                return breach(measurement, limit: hard, pid, &context)
            }
            context.act(.lowerMemoryMax(id, hard))
        } else {
            context.act(.setMemoryMax(id, policy.memoryMax))
        }
        context.act(.observeMemoryEvents(id, wire != nil || oomPolicy == .continue))
        return judge(measurement, &context)
    }

    // MARK: On the way out

    /// It is on its way out. Nobody is parked above `high`: a worker that cleans up there is throttled to a standstill.
    mutating func withdrawLimits(_ context: inout Context) {
        if wire != nil {
            wire = nil
            context.act(.setMemoryHigh(id, nil))
        }
        clearSpans(&context)
    }
}
