internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// A time span up to now, on the command line.
struct ElapsedTime: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        guard let duration = Quantity.duration(argument) else { return nil }
        self.duration = duration
    }

    /// When it began, as the JSON log writes a time.
    var beginning: String {
        var now = timespec()
        // CLOCK_REALTIME cannot fail with a valid pointer.
        _ = clock_gettime(CLOCK_REALTIME, &now)
        let (seconds, attoseconds) = (.seconds(now.tv_sec) + .nanoseconds(now.tv_nsec) - duration).components
        return LogLines.universalTime(Int(seconds), nanoseconds: Int(attoseconds / 1_000_000_000))
    }
}
