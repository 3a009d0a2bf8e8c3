import CLinux
import Glibc

/// How a process ended.
public enum ProcessExit: Hashable, Sendable {
    /// It returned this code.
    case exited(Int32)
    /// This signal ended it.
    case signaled(Int32, coreDumped: Bool)
}

/// Whether a process, whoever's child it is, has ended: its pidfd is readable then (pidfd_open(2)).
package func hasEnded(pidfd: Int32) -> Bool {
    var request = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, 0) == 1
}

/// Reads how a child ended, and lets the kernel forget it. `nil` if it is still alive. Does not wait, and
/// touches no other child (waitid(2) with `P_PIDFD`).
///
/// Throws `ECHILD` if it is not our child, was reaped already, or SIGCHLD is ignored.
public func reap(pidfd: Int32) throws(CgroupError) -> ProcessExit? {
    var code: Int32 = 0
    var status: Int32 = 0
    while true {
        let result = linux_waitid_pidfd(pidfd, WEXITED | WNOHANG, &code, &status, nil)
        if result == -EINTR { continue }
        guard result >= 0 else {
            throw CgroupError(operation: "reap", path: "the child of pidfd \(pidfd)", errno: -result)
        }
        if result == 0 { return nil }
        switch code {
        case Int32(CLD_EXITED): return .exited(status)
        case Int32(CLD_DUMPED): return .signaled(status, coreDumped: true)
        default: return .signaled(status, coreDumped: false)
        }
    }
}
