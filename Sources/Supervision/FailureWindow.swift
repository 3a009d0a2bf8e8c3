/// Counts a group's failures within the window of its restart intensity.
struct FailureWindow: Hashable, Codable, Sendable {
    private var failures: [Instant] = []

    /// Notes one failure; returns how many the window now holds if that is more than allowed.
    mutating func record(at now: Instant, limit: GroupPolicy.Intensity?) -> Int? {
        guard let limit else { return nil }
        let start = now + (.zero - limit.window)
        failures.removeAll { $0 < start }
        failures.append(now)
        return failures.count > limit.maximumFailures ? failures.count : nil
    }
}
