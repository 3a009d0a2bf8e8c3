/// How long one incarnation may live: the group's maximum, less a share of its own, so that workers that were
/// started together do not end together.
package struct Lifespan: Hashable, Codable, Sendable {
    private let maximum: Duration
    /// At most a fifth of the maximum.
    private let stagger: Duration

    package init(maximum: Duration, random: inout SplitMix64) {
        self.maximum = maximum
        let fifth = max(maximum.nanoseconds, 0) / 5
        stagger = .nanoseconds(fifth > 0 ? Int64.random(in: 0...fifth, using: &random) : 0)
    }

    /// When a life that began then is over. One that was over before anybody looked ends soon, and not with all
    /// the others that were.
    func end(from start: Instant, now: Instant) -> Instant {
        let end = start + .nanoseconds(maximum.nanoseconds - stagger.nanoseconds)
        return end > now ? end : now + stagger
    }
}
