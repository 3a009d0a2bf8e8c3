/// How much of a time a worker may stand still for want of memory (PSI, the kernel's
/// `Documentation/accounting/psi.rst`).
public struct PressureLimit: Hashable, Codable, Sendable {
    /// So long, all of its processes at once (`full`) …
    public var stall: Duration
    /// … within this time, from 0.5 s to 10 s. Without CAP_SYS_RESOURCE the kernel takes only multiples of 2 s.
    public var window: Duration

    /// Takes each part as it is.
    public init(stall: Duration, window: Duration) {
        self.stall = stall
        self.window = window
    }

    /// How it may be written, or 0 to switch it off; that the stall fits into the window, and how long one in minutes
    /// is, is for the reader alone to see.
    package static let spelling: Spelling = {
        let windows = [("s?", 1.0), ("ms", 1000), ("us", 1_000_000)].map { unit, each in
            let most = UInt64(10 * each)
            let half = each == 1 ? "0+\\.[5-9][0-9]*|" : ""
            let whole = NumberPattern.whole(UInt64((each / 2).rounded(.up))...(most - 1), joint: "")
            return "(?:\(half)\(whole)(?:\\.[0-9]*)?|0*\(most)(?:\\.0*)?)\(unit)"
        }
        let window = (windows + ["0+\\.[0-9]+(?:min|m|h|d)"]).joined(separator: "|")
        return .pattern(
            "\(NumberPattern.zero)|(?=[0-9.]*[1-9])(?:\(Quantity.durationPattern))/(?:\(window))",
            numbers: .whole(0...0))
    }()

    /// `1/2`, `300ms/2`: nil where it is none, or none that the kernel takes.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let stall = Quantity.duration(String(parts[0])),
            let window = Quantity.duration(String(parts[1])), stall > .zero, stall <= window,
            window >= .milliseconds(500), window <= .seconds(10)
        else { return nil }
        self.init(stall: stall, window: window)
    }
}
