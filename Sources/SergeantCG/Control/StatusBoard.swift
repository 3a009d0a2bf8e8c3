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
        standing.note(occurrence, at: timespec.wallClock().microseconds)
    }

    /// Goes on from what another image of this program kept.
    package func recall(_ standing: Standing) {
        self.standing = standing
    }
}
