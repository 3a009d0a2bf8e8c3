internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// A worker that an earlier supervisor left running, found by the next: it can be watched again.
final class Adoptee {
    /// Which incarnation it is.
    struct Key: Hashable {
        let group: String
        let slot: Int
        let number: Int

        /// The leaf of its cgroup in its group's.
        var directory: String { "\(slot).\(number)" }
    }

    let key: Key
    let pid: Int32
    /// On CLOCK_MONOTONIC.
    let since: Instant
    private var pidfd: Int32?
    private var reports: Int32?

    /// - Parameters:
    ///   - pidfd: of its main process; this value's to close, as is the other.
    ///   - reports: where a `sergeant` worker says how it stands.
    init(_ key: Key, pid: Int32, pidfd: Int32, reports: Int32? = nil) {
        self.key = key
        self.pid = pid
        self.pidfd = pidfd
        self.reports = reports
        since = Self.start(of: pid) ?? .now()
    }

    deinit {
        for case let descriptor? in [pidfd, reports] { close(descriptor) }
    }

    /// Hands over its descriptors; they are the caller's.
    func release() -> (pidfd: Int32?, reports: Int32?) {
        defer { (pidfd, reports) = (nil, nil) }
        return (pidfd, reports)
    }

    /// The `starttime` of /proc/PID/stat (proc(5)), in ticks since the boot.
    private static func start(of pid: Int32) -> Instant? {
        guard
            let text = (try? BoundedFile.read("/proc/\(pid)/stat")).map({
                String(decoding: $0, as: UTF8.self)
            }), let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        let ticks = sysconf(Int32(_SC_CLK_TCK))
        var boot = timespec()
        guard fields.count > 19, let start = UInt64(fields[19]), ticks > 0,
            clock_gettime(CLOCK_BOOTTIME, &boot) == 0
        else { return nil }
        let age = UInt64(boot.tv_sec) * 1_000_000_000 + UInt64(boot.tv_nsec)
        let (started, overflow) = start.multipliedReportingOverflow(by: 1_000_000_000 / UInt64(ticks))
        guard !overflow, started <= age else { return nil }
        // CLOCK_MONOTONIC stands still in a suspend: what has run longer than that clock began with it.
        return .now() + .nanoseconds(-Int64(clamping: age - started))
    }
}
