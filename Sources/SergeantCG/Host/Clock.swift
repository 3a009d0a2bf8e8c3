internal import CLinux
internal import Glibc
package import Supervision

extension timespec {
    /// The wall clock's time, since 1970.
    static func wallClock() -> timespec {
        var time = timespec()
        // CLOCK_REALTIME with a valid pointer cannot fail; it is read without a system call.
        _ = clock_gettime(CLOCK_REALTIME, &time)
        return time
    }

    var microseconds: Int64 { Int64(tv_sec) * 1_000_000 + Int64(tv_nsec) / 1000 }
}

extension Instant {
    /// The monotonic clock's time.
    package static func now() -> Instant {
        var time = timespec()
        // CLOCK_MONOTONIC with a valid pointer cannot fail; it is read without a system call.
        _ = clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}
