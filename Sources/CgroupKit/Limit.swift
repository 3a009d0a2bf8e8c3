/// A limit in bytes, as `memory.max`, `memory.high` and `memory.swap.max` hold it.
///
/// See the kernel's `Documentation/admin-guide/cgroup-v2.rst`, "Interface Files".
public enum Limit: Hashable, Sendable, KernelFormatted, CustomStringConvertible {
    /// No limit; the kernel writes `max`.
    case max
    /// So many bytes. The kernel rounds down to whole pages.
    case bytes(UInt64)

    /// The kernel's text form: `max`, or the bytes in decimal.
    public var description: String {
        switch self {
        case .max: "max"
        case .bytes(let bytes): String(bytes)
        }
    }

    /// Reads the kernel's text form, with or without its line end. `nil` for anything else.
    public static func parse(_ bytes: Span<UInt8>) -> Limit? {
        switch KernelText.limit(bytes) {
        case .none: nil
        case .some(.none): .max
        case .some(.some(let value)): .bytes(value)
        }
    }
}

/// A limit on a number of things, as `pids.max` holds it.
public enum CountLimit: Hashable, Sendable, KernelFormatted, CustomStringConvertible {
    /// No limit; the kernel writes `max`.
    case max
    /// At most so many.
    case count(UInt64)

    /// The kernel's text form: `max`, or the count in decimal.
    public var description: String {
        switch self {
        case .max: "max"
        case .count(let count): String(count)
        }
    }

    /// Reads the kernel's text form, with or without its line end. `nil` for anything else.
    public static func parse(_ bytes: Span<UInt8>) -> CountLimit? {
        switch KernelText.limit(bytes) {
        case .none: nil
        case .some(.none): .max
        case .some(.some(let value)): .count(value)
        }
    }
}

/// A limit on CPU time, as `cpu.max` holds it.
public enum CPULimit: Hashable, Sendable, KernelFormatted, CustomStringConvertible {
    /// No limit.
    case max
    /// At most `microseconds` of CPU time in every `period` microseconds, over all CPUs together.
    case quota(microseconds: UInt64, period: UInt64)

    /// The kernel's text form: `max`, or quota and period.
    public var description: String {
        switch self {
        case .max: "max"
        case .quota(let microseconds, let period): "\(microseconds) \(period)"
        }
    }

    /// Reads the kernel's text form, `max 100000` or `50000 100000`. `nil` for anything else.
    public static func parse(_ bytes: Span<UInt8>) -> CPULimit? {
        var words = KernelText.Words(of: 0..<bytes.count)
        guard let first = words.next(in: bytes), let second = words.next(in: bytes),
            words.next(in: bytes) == nil, let period = KernelText.number(bytes, second)
        else { return nil }
        if KernelText.equals(bytes, first, "max") { return .max }
        guard let quota = KernelText.number(bytes, first) else { return nil }
        return .quota(microseconds: quota, period: period)
    }
}
