import Supervision

/// What one history is about: a configuration, and how the workers and the kernel behave in it.
struct Scenario: Sendable {
    /// How a worker takes the stop signal, each in so many of a thousand cases.
    struct Temper: Sendable {
        /// Leaves within its grace.
        var obedient: Int
        /// Leaves, but past its grace.
        var slow: Int
        /// Does not die even when killed (D state), for a while or for ever; the rest ignores the signal.
        var undying: Int
        var undyingForEver: Int
    }

    var policies: [GroupPolicy]
    /// How many slots each group may come to have; further ones than `policies` are groups added later.
    var capacity: [Int]
    /// Of a thousand events, how many are followed by a restart or by another policy.
    var restarts: Int
    var changes: Int
    var temper: Temper
    /// In a thousand starts.
    var failedStarts: Int
    var adoptions: Int
    var permanentFailures: Int
    var slowStarts: Int
    var unansweredStarts: Int
    /// In a thousand ends of its own accord.
    var failures: Int
    var outOfMemory: Int
    var shortestLife: Duration
    var longestLife: Duration
    var livesForEver: Int
    var neverReady: Int
    var leftovers: Int
    var stubbornLeftovers: Int
    var busyRemovals: Int
    var failedRemovals: Int
    /// How many of a thousand workers press on their memory.
    var memory: Int
    /// Of a thousand looks at what a worker does with its memory, how many find it to stand still.
    var pressure: Int
    /// Of a thousand events, how many come again later, and how many nobody sent.
    var repeated: Int
    var stray: Int
    /// After so many events it is told to stop; perhaps once more.
    var stopAfter: Int
    var killAfterStop: Duration?
    var stopsTwice: Bool

    init(_ random: inout SplitMix64, longest: Int) {
        let groups = random.pick([1, 1, 1, 2, 3])
        let conduct: [GroupPolicy.Conduct] = [.program, .sergeant]
        policies = (1...groups).map { number in
            Self.policy("group\(number)", conduct[random.below(2)], &random)
        }
        let later = random.pick([0, 0, 1, 2])
        capacity = policies.map { $0.workers + random.pick([0, 0, 2, 10]) }
        for _ in 0..<later { capacity.append(random.pick([1, 3, 12])) }
        restarts = random.pick([0, 0, 5, 50])
        changes = random.pick([0, 0, 2, 20])
        let gentle = random.pick([1000, 950, 700, 300, 0])
        temper = Temper(
            obedient: gentle, slow: random.pick([0, 100, 500]),
            undying: random.pick([0, 0, 0, 20, 200, 1000]),
            undyingForEver: random.pick([0, 100, 1000]))
        failedStarts = random.pick([0, 0, 5, 100, 900, 1000])
        adoptions = random.pick([0, 0, 100])
        permanentFailures = random.pick([0, 0, 0, 1, 300])
        slowStarts = random.pick([0, 5, 200])
        unansweredStarts = random.pick([0, 0, 0, 2, 50])
        failures = random.pick([0, 30, 300, 700, 1000])
        outOfMemory = random.pick([0, 10, 300])
        shortestLife = random.pick([.microseconds(100), .milliseconds(10), .seconds(1), .seconds(20)])
        longestLife = random.pick([.milliseconds(500), .seconds(5), .seconds(60), .seconds(3600)])
        livesForEver = random.pick([0, 0, 200, 1000])
        neverReady = random.pick([0, 5, 300])
        leftovers = random.pick([0, 20, 500])
        stubbornLeftovers = random.pick([0, 300, 1000])
        busyRemovals = random.pick([0, 20, 500])
        failedRemovals = random.pick([0, 0, 5, 300, 1000])
        memory = random.pick([0, 300, 1000])
        pressure = random.pick([0, 0, 10])
        repeated = random.pick([0, 10, 100])
        stray = random.pick([0, 5, 50])
        stopAfter = 5 + (longest >> random.below(10)) * (1 + random.below(1000)) / 1000
        killAfterStop = random.chance(400) ? random.between(.microseconds(10), .seconds(60)) : nil
        stopsTwice = random.chance(200)
    }

    static func policy(
        _ name: String, _ conduct: GroupPolicy.Conduct, _ random: inout SplitMix64
    ) -> GroupPolicy {
        let threshold: UInt64? = random.chance(500) ? (64 << 20) << UInt64(random.below(5)) : nil
        let hard: UInt64?
        switch random.below(4) {
        case 0: hard = (threshold ?? 256 << 20) * UInt64(2 + random.below(7)) / 2
        case 1: hard = (64 << 20) << UInt64(random.below(6))
        default: hard = nil
        }
        return GroupPolicy(
            name: name, workers: random.pick([1, 1, 2, 3, 5, 8, 40]), conduct: conduct,
            readiness: random.chance(500) ? .whenStarted : .whenReported,
            stopTimeout: random.pick([.zero, .milliseconds(100), .seconds(1), .seconds(8), .seconds(30)]),
            startTimeout: random.pick([nil, .milliseconds(500), .seconds(5), .seconds(60)]),
            memoryThreshold: threshold, memoryMax: hard,
            backOffInitial: random.pick([
                .zero, .milliseconds(1), .milliseconds(200), .milliseconds(200), .seconds(1),
            ]),
            backOffMaximum: random.pick([.zero, .milliseconds(150), .seconds(1), .seconds(30), .seconds(30)]),
            intensity: random.chance(300)
                ? .init(
                    maximumFailures: random.pick([0, 1, 5, 20, 200]),
                    window: random.pick([.seconds(1), .seconds(10), .seconds(600)]))
                : nil,
            minimumReady: random.pick([nil, nil, 0, 1, 3]),
            maximumUnavailable: random.pick([0, 1, 1, 1, 2, 10]),
            maximumLifetime: random.pick([
                nil, nil, nil, .zero, .milliseconds(50), .seconds(3), .seconds(60), .seconds(3600),
            ]),
            restart: random.pick([.always, .always, .always, .always, .onFailure, .never]),
            surges: random.chance(300),
            groupMemoryMax: random.pick([nil, nil, 64 << 20, 512 << 20, 8 << 30]),
            memorySustain: random.pick([.zero, .zero, .milliseconds(100), .seconds(2), .seconds(30)]),
            oomPolicy: random.pick([.kill, .kill, .continue]))
    }
}
