/// The one deadline of an incarnation's phase, and what is timed beside it while it works.
extension Incarnation {
    mutating func setDeadline(_ instant: Instant, _ context: inout Context) {
        deadline = instant
        context.act(.setTimer(.incarnation(id), instant))
    }

    mutating func clearDeadline(_ context: inout Context) {
        guard deadline != nil else { return }
        deadline = nil
        context.act(.cancelTimer(.incarnation(id)))
    }

    mutating func setSpan(_ span: Span, _ instant: Instant, _ context: inout Context) {
        spans[span] = instant
        context.act(.setTimer(.span(id, span), instant))
    }

    mutating func clearSpan(_ span: Span, _ context: inout Context) {
        guard spans.removeValue(forKey: span) != nil else { return }
        context.act(.cancelTimer(.span(id, span)))
    }

    mutating func clearSpans(_ context: inout Context) {
        guard !spans.isEmpty else { return }
        for span in Span.allCases where spans[span] != nil { context.act(.cancelTimer(.span(id, span))) }
        spans = [:]
    }

    mutating func end(of span: Span, _ context: inout Context) -> Consequence? {
        switch span {
        case .lifetime: return .expired
        case .excess:
            excessIsOver = true
            context.act(.measureMemory(id))
        case .oom:
            // The main process outlived it.
            guard let pid, counters.oomKill > oomKillsTold else { break }
            oomKillsTold = counters.oomKill
            context.report(
                .workerOOM(
                    id, pid: pid, kills: counters.oomKill, counters.oom == 0 ? .ancestor : .worker,
                    mainKilled: false))
        }
        return nil
    }

    mutating func limitLifetime(_ context: inout Context) {
        guard yields == nil, let lifespan, let startedAt else { return }
        setSpan(.lifetime, lifespan.end(from: startedAt, now: context.now), &context)
    }
}
