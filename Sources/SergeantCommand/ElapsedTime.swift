internal import ArgumentParser
internal import SergeantCG

/// A time span up to now, on the command line.
struct ElapsedTime: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        guard let duration = Quantity.duration(argument) else { return nil }
        self.duration = duration
    }

    /// When it began, as the JSON log writes a time.
    var beginning: String { LogLines.universalTime(before: duration) }
}
