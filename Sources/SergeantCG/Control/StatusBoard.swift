internal import CLinux
internal import Glibc
package import Supervision

/// Keeps how every worker stands, from the stream of occurrences that the log is written from too, so that the two
/// cannot disagree.
package final class StatusBoard: Observer {
    package private(set) var standing: Standing

    /// - Parameter desired: how many workers each group is to have.
    package init(desired: [Int]) {
        standing = Standing(desired: desired)
    }

    package var tellsUsage: Bool { false }

    package func observe(_ occurrence: Occurrence, named names: Names) {
        var now = timespec()
        // CLOCK_REALTIME cannot fail with a valid pointer.
        _ = clock_gettime(CLOCK_REALTIME, &now)
        standing.note(occurrence, at: Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)
    }

    /// Goes on from what another image of this program kept.
    package func recall(_ standing: Standing) {
        self.standing = standing
    }
}
