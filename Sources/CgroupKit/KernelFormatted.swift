/// A value that the kernel writes as text into one file of a cgroup.
public protocol KernelFormatted {
    /// Reads the file's bytes without allocating; `nil` if they are not such a text. Never traps.
    static func parse(_ bytes: Span<UInt8>) -> Self?
}

extension KernelFormatted {
    /// The same for an array of bytes.
    public static func parse(_ bytes: [UInt8]) -> Self? { parse(bytes.span) }
}
