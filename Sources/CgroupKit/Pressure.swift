/// `memory.pressure`, `cpu.pressure` or `io.pressure`: time lost for want of a resource.
///
/// See the kernel's `Documentation/accounting/psi.rst`.
public struct Pressure: Hashable, Sendable, KernelFormatted {
    /// What a cgroup can be short of.
    public enum Resource: String, Hashable, Sendable, CaseIterable {
        case memory, cpu, io
    }

    /// The share of time that was lost lately, and all of it.
    public struct Share: Hashable, Sendable {
        /// Percent over the last 10 seconds.
        public var average10: Double
        /// Percent over the last minute.
        public var average60: Double
        /// Percent over the last 5 minutes.
        public var average300: Double
        /// Microseconds lost since the cgroup was made.
        public var totalMicroseconds: UInt64

        /// A share of these values.
        public init(average10: Double, average60: Double, average300: Double, totalMicroseconds: UInt64) {
            self.average10 = average10
            self.average60 = average60
            self.average300 = average300
            self.totalMicroseconds = totalMicroseconds
        }
    }

    /// Time in which at least one task waited.
    public var some: Share
    /// Time in which all tasks waited at once. `nil` if the kernel does not tell.
    public var full: Share?

    /// Pressure of these shares.
    public init(some: Share, full: Share?) {
        self.some = some
        self.full = full
    }

    /// Reads the file's bytes. Unknown lines and keys are passed over; `nil` if `some` is missing or garbled.
    public static func parse(_ bytes: Span<UInt8>) -> Pressure? {
        var some: Share?
        var full: Share?
        var lines = KernelText.Lines()
        while let line = lines.next(in: bytes) {
            var words = KernelText.Words(of: line)
            guard let kind = words.next(in: bytes) else { continue }
            if KernelText.equals(bytes, kind, "some") {
                some = share(bytes, words)
            } else if KernelText.equals(bytes, kind, "full") {
                full = share(bytes, words)
            }
        }
        return some.map { Pressure(some: $0, full: full) }
    }

    private static func share(_ bytes: Span<UInt8>, _ pairs: KernelText.Words) -> Share? {
        var pairs = pairs
        var average10, average60, average300: Double?
        var total: UInt64?
        while let pair = pairs.next(in: bytes) {
            if let value = value(bytes, pair, of: "avg10=") {
                average10 = KernelText.decimal(bytes, value)
            } else if let value = value(bytes, pair, of: "avg60=") {
                average60 = KernelText.decimal(bytes, value)
            } else if let value = value(bytes, pair, of: "avg300=") {
                average300 = KernelText.decimal(bytes, value)
            } else if let value = value(bytes, pair, of: "total=") {
                total = KernelText.number(bytes, value)
            }
        }
        guard let average10, let average60, let average300, let total else { return nil }
        return Share(
            average10: average10, average60: average60, average300: average300, totalMicroseconds: total)
    }

    private static func value(_ bytes: Span<UInt8>, _ pair: Range<Int>, of key: StaticString) -> Range<Int>? {
        guard KernelText.begins(bytes, pair, with: key) else { return nil }
        return pair.lowerBound + key.utf8CodeUnitCount..<pair.upperBound
    }
}
