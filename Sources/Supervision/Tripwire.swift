/// Where `memory.high` stands for one incarnation, and what a look at its memory means.
///
/// `memory.high` counts page cache, the threshold does not. So an alarm below the threshold slides the wire to
/// the next place where a breach is possible: what is in use plus what is still allowed to grow.
struct Tripwire: Hashable, Codable, Sendable {
    enum Judgement: Hashable, Sendable {
        case breach
        /// Put `memory.high` there; nil is `max`.
        case slide(to: UInt64?)
        case keep
    }

    let threshold: UInt64
    let hardLimit: UInt64?
    /// What `memory.high` holds; nil once the hard limit's `max` events are the nearer alarm.
    private(set) var position: UInt64?
    /// False while the hard limit's events are shut off, for they storm and say nothing new.
    var isObserved = true
    private var lastUnreclaimable: UInt64 = 0

    init(threshold: UInt64, hardLimit: UInt64?) {
        self.threshold = threshold
        self.hardLimit = hardLimit
        position = threshold
    }

    /// It is above its threshold and may be for a while: `memory.high` must not hold it back meanwhile.
    mutating func lift() {
        position = nil
    }

    /// A wire away from the threshold can be passed by anonymous memory that takes the place of freed cache:
    /// it is looked at on the shared tick.
    var isSlid: Bool { position != threshold }

    /// `memory.stat` trails `memory.current` by up to 0.4 MB, so a breach counts from a little below.
    private var slack: UInt64 { min(512 << 10, threshold / 32) }

    /// A change too small to move the wire for on a tick.
    private var step: UInt64 { threshold / 16 }

    /// There is room again below the hard limit, so its events are worth hearing.
    func hasRoom(_ measurement: MemoryMeasurement) -> Bool {
        guard let hardLimit else { return true }
        return measurement.current < hardLimit - hardLimit / 16
    }

    /// - Parameter alarmed: the kernel said so; else it is the tick that looks.
    mutating func judge(_ measurement: MemoryMeasurement, alarmed: Bool) -> Judgement {
        if measurement.unreclaimable > threshold - slack { return .breach }
        lastUnreclaimable = measurement.unreclaimable
        let next = target(for: measurement)
        guard next != position else { return .keep }
        if !alarmed, let next, let position, next != threshold {
            let distance = next > position ? next - position : position - next
            if distance < step { return .keep }
        }
        if alarmed, let next, let position, next < position { return .keep }
        position = next
        return .slide(to: next)
    }

    /// The pool's tick may slow down only while this is false.
    func grew(since measurement: MemoryMeasurement) -> Bool {
        measurement.unreclaimable > lastUnreclaimable + step
    }

    private func target(for measurement: MemoryMeasurement) -> UInt64? {
        if measurement.current <= threshold - threshold / 4 { return threshold }
        let room = threshold - measurement.unreclaimable
        let (place, overflow) = measurement.current.addingReportingOverflow(room)
        if overflow { return nil }
        if let hardLimit, place >= hardLimit { return nil }
        return max(place, threshold)
    }
}
