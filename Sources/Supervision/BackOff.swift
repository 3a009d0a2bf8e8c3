/// How long a slot waits before its next incarnation: one slot's memory of its failures.
struct BackOff: Hashable, Codable, Sendable {
    /// Failures in a row, none of them after a healthy run.
    private(set) var failures = 0

    /// Takes note of how an incarnation ended and says how long its successor waits.
    ///
    /// A failure after a healthy run is replaced at once and forgets what was before; any other doubles the
    /// wait, up to the maximum, and jitters it by a fifth so that a pool does not fail in step; never past the maximum.
    mutating func wait(
        after weight: Reason.Weight, healthy: Bool, policy: GroupPolicy, random: inout SplitMix64
    ) -> Duration {
        if healthy || weight == .success { failures = 0 }
        guard weight == .failure, !healthy else { return .zero }
        failures += 1
        let doublings = min(failures - 1, 40)
        let initial = max(policy.backOffInitial.nanoseconds, 0)
        let (product, overflow) = initial.multipliedReportingOverflow(by: 1 << doublings)
        let maximum = max(policy.backOffMaximum.nanoseconds, 0)
        let base = min(overflow ? .max : product, maximum)
        let fifth = base / 5
        let jitter = fifth > 0 ? Int64.random(in: -fifth...min(fifth, maximum - base), using: &random) : 0
        return .nanoseconds(base + jitter)
    }
}
