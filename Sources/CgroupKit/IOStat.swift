/// `io.stat`: what a cgroup, its descendants included, has read and written, all block devices together.
///
/// Page cache counts when it is read in or written back, not when a program asks. See the kernel's
/// `Documentation/admin-guide/cgroup-v2.rst`.
public struct IOStat: Hashable, Sendable, KernelFormatted {
    /// Bytes read from devices.
    public var readBytes: UInt64 = 0
    /// Bytes written to devices.
    public var writtenBytes: UInt64 = 0
    /// Operations that read.
    public var reads: UInt64 = 0
    /// Operations that wrote.
    public var writes: UInt64 = 0

    /// Nothing read and nothing written.
    public init() {}

    /// Reads the file's bytes: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …` a line; none where there was no I/O. Unknown keys
    /// are passed over; sums past 64 bits stay at their end. `nil` if a value is no number.
    public static func parse(_ bytes: Span<UInt8>) -> IOStat? {
        var stat = IOStat()
        var lines = KernelText.Lines()
        while let line = lines.next(in: bytes) {
            var words = KernelText.Words(of: line)
            guard words.next(in: bytes) != nil else { continue }
            while let word = words.next(in: bytes) {
                guard let equals = word.first(where: { bytes[$0] == UInt8(ascii: "=") }) else { continue }
                let key = word.lowerBound..<equals
                guard let counter = counter(bytes, key) else { continue }
                guard let value = KernelText.number(bytes, equals + 1..<word.upperBound) else { return nil }
                let (sum, overflow) = stat[keyPath: counter].addingReportingOverflow(value)
                stat[keyPath: counter] = overflow ? .max : sum
            }
        }
        return stat
    }

    private static func counter(_ bytes: Span<UInt8>, _ key: Range<Int>) -> WritableKeyPath<IOStat, UInt64>? {
        if KernelText.equals(bytes, key, "rbytes") { return \.readBytes }
        if KernelText.equals(bytes, key, "wbytes") { return \.writtenBytes }
        if KernelText.equals(bytes, key, "rios") { return \.reads }
        if KernelText.equals(bytes, key, "wios") { return \.writes }
        return nil
    }
}
