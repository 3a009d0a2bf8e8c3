import CLinux
import Glibc

/// A process that was started in a cgroup. Closes its descriptors with the value; that does not end it.
public struct PlacedProcess: ~Copyable, Sendable {
    /// Its number, in our PID namespace.
    public let pid: Int32
    /// Refers to the process for ever, however numbers are reused; readable when it has ended. Close-on-exec.
    public let pidfd: Int32
    /// Tells whether the program came to run, for a process that was made by copying memory: see
    /// `StartStatus`. `nil` if that is sure already. Non-blocking and close-on-exec.
    public private(set) var statusPipe: Int32?

    init(pid: Int32, pidfd: Int32, statusPipe: Int32?) {
        self.pid = pid
        self.pidfd = pidfd
        self.statusPipe = statusPipe
    }

    /// Takes a child whose descriptors are open already, as by another image of this program before exec.
    package init(adopting pid: Int32, pidfd: Int32, statusPipe: Int32?) {
        self.init(pid: pid, pidfd: pidfd, statusPipe: statusPipe)
    }

    deinit {
        close(pidfd)
        if let statusPipe { close(statusPipe) }
    }

    /// Closes the status pipe, which has nothing more to tell once `StartStatus` was not `pending`.
    public mutating func closeStatusPipe() {
        if let statusPipe { close(statusPipe) }
        statusPipe = nil
    }

    /// Ends this value without closing anything: the descriptors are the caller's to close.
    public consuming func release() -> (pid: Int32, pidfd: Int32, statusPipe: Int32?) {
        let parts = (pid, pidfd, statusPipe)
        discard self
        return parts
    }
}

/// Whether a process that was made by copying memory has come to run its program.
public enum StartStatus: Hashable, Sendable {
    /// Not yet, as while its cgroup is frozen.
    case pending
    /// It has, or was killed before it could; its exit status tells.
    case started
    /// It could not. It has ended with code 127, and is to be reaped like any other.
    case failed(SpawnError.Stage, errno: Int32)

    /// Reads a `PlacedProcess.statusPipe`, which is readable as soon as this is not `pending`. Does not wait.
    ///
    /// Throws what read(2) does.
    public static func read(_ statusPipe: Int32) throws(CgroupError) -> StartStatus {
        var report = linux_spawn_report()
        while true {
            let count = Glibc.read(statusPipe, &report, MemoryLayout<linux_spawn_report>.size)
            if count == MemoryLayout<linux_spawn_report>.size {
                return .failed(SpawnError.Stage(rawValue: report.stage) ?? .exec, errno: report.error)
            }
            if count == 0 { return .started }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return .pending }
            throw CgroupError(
                operation: "read", path: "the status pipe of a new process",
                errno: count < 0 ? errno : EBADMSG)
        }
    }
}

extension Cgroup {
    /// Starts a process in this cgroup: its first instruction runs here already.
    ///
    /// In `sharesMemory` mode the program runs when this returns; in `copiesMemory` mode `StartStatus` tells.
    /// Throws with the stage that failed; then no process, zombie or descriptor is left. The signal mask of the
    /// calling thread is afterwards what it was. Raises no SIGCHLD if it fails.
    public borrowing func spawn(_ process: PreparedProcess) throws(SpawnError) -> PlacedProcess {
        var result = linux_spawn_result()
        let code = process.withRequest(cgroup: descriptor) { linux_spawn($0, &result) }
        guard code == 0 else {
            let stage = SpawnError.Stage(rawValue: Int32(bitPattern: result.stage.rawValue)) ?? .clone
            // A removed cgroup is ENOENT or ENODEV, by the kernel's version.
            let isRemoved = stage == .clone && result.error == ENOENT
            throw SpawnError(
                stage: stage, errno: isRemoved ? ENODEV : result.error, executable: process.executable,
                cgroup: path)
        }
        return PlacedProcess(
            pid: result.pid, pidfd: result.pidfd,
            statusPipe: result.status_pipe < 0 ? nil : result.status_pipe)
    }
}
