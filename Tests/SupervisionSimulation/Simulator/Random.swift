import Supervision

extension SplitMix64 {
    /// True in `permille` of a thousand cases.
    mutating func chance(_ permille: Int) -> Bool {
        below(1000) < permille
    }

    /// A number below `bound`.
    mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        return Int(((next() >> 32) * UInt64(bound)) >> 32)
    }

    mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[below(choices.count)]
    }

    /// A duration between the two, each order of magnitude as likely as the next.
    mutating func between(_ shortest: Duration, _ longest: Duration) -> Duration {
        let low = UInt64(max(shortest.nanoseconds, 1))
        let high = UInt64(max(longest.nanoseconds, 2))
        let orders = max(low.leadingZeroBitCount - high.leadingZeroBitCount, 0)
        let base = low << UInt64(below(orders + 1))
        let found = base + next() % base
        return .nanoseconds(Int64(found <= high ? found : high - next() % (high / 2 + 1)))
    }
}

extension Instant {
    static let origin = Instant(nanoseconds: 1_000_000_000)
}
