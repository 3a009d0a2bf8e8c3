/// A point on the monotonic clock, in nanoseconds since an origin that only the caller knows.
///
/// Supervision never reads a clock: every instant comes in with an event, so a history can be replayed.
public struct Instant: Hashable, Comparable, Codable, Sendable {
    /// Since the origin.
    public var nanoseconds: UInt64

    /// So many nanoseconds after the origin.
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// The left one is earlier.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at both ends; a negative duration moves back.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let distance = duration.nanoseconds
        if distance >= 0 {
            let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(UInt64(distance))
            return Instant(nanoseconds: overflow ? .max : sum)
        }
        let back = distance.magnitude
        return Instant(nanoseconds: instant.nanoseconds > back ? instant.nanoseconds - back : 0)
    }

    /// The time from `earlier` to `later`; zero where `later` is not later.
    public static func - (later: Instant, earlier: Instant) -> Duration {
        guard later > earlier else { return .zero }
        return .nanoseconds(Int64(clamping: later.nanoseconds - earlier.nanoseconds))
    }
}

extension Duration {
    /// Whole nanoseconds, saturating at the ends of `Int64` (292 years).
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carry) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole microseconds, as the `…_usec` fields of logs and of systemd count.
    public var microseconds: Int64 { nanoseconds / 1000 }
}
