internal import Glibc

/// Whether so many processes want to run that a new one would wait for a CPU, and with it whoever waits for its exec.
struct Congestion: ~Copyable {
    /// Runnable processes a CPU; below that one waits for a few milliseconds at most.
    private static let most = 4

    /// Held open: asking is one system call (/proc/loadavg, proc(5)). Below zero where it cannot be had.
    private let file: Int32
    private let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    init() {
        file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// At this moment. False where it cannot be known.
    var isThere: Bool {
        guard file >= 0 else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
            let count = pread(file, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return false }
            return Self.runnable(buffer[..<count]).map { $0 > Self.most * processors } ?? false
        }
    }

    /// Of "0.20 0.18 0.12 1/80 11206", the number before the slash.
    static func runnable(_ text: some BidirectionalCollection<UInt8>) -> Int? {
        guard let slash = text.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        let digits = text[..<slash].reversed().prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        guard !digits.isEmpty, digits.count <= 9 else { return nil }
        return digits.reversed().reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
