internal import Glibc
internal import Synchronization

/// How likely the kernel is to choose a process when memory is short (`/proc/PID/oom_score_adj`, proc_pid_oom_score_adj(5)).
public enum OOMScore {
    /// As systemd has it for D-Bus's daemon: after everybody else, and not never, for a kernel that finds nobody to kill
    /// panics.
    private static let protected: Int32 = -900

    /// Makes this process one of the last that the kernel chooses. A supervisor is small, and takes all its workers with it.
    /// Lowering it needs CAP_SYS_RESOURCE; without, it stays as it is.
    ///
    /// - Returns: the adjustment as it was found, also where it was lowered before, for
    ///   ``GroupConfiguration/oomScoreAdjustment``; nil where nothing was changed.
    public static func protect() -> Int32? {
        if let found { return found }
        guard let own, own > protected else { return nil }
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let text = Array("\(protected)".utf8)
        guard write(file, text, text.count) == text.count else { return nil }
        loweredFrom.withLock { $0 = own }
        return own
    }

    private static let path = "/proc/self/oom_score_adj"
    private static let loweredFrom = Mutex<Int32?>(nil)

    /// What this process has now; nil where that cannot be read.
    static var own: Int32? {
        guard let bytes = try? BoundedFile.read(path) else { return nil }
        return Int32(String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace })
    }

    /// The adjustment before it was lowered, by this image of the program or one before; nil where it was not.
    static var found: Int32? { loweredFrom.withLock { $0 } }

    /// What the image before found. It lowered the adjustment, and exec keeps it; one that did not has given its workers
    /// what it has itself, and so it stays.
    static func recall(_ found: Int32?) {
        loweredFrom.withLock { $0 = found ?? own }
    }
}
