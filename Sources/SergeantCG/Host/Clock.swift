internal import CLinux
internal import Glibc
package import Supervision

extension Instant {
    /// The monotonic clock's time.
    package static func now() -> Instant {
        var time = timespec()
        // CLOCK_MONOTONIC with a valid pointer cannot fail; it is read without a system call.
        _ = clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}
