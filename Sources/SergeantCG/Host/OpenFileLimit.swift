internal import CLinux
internal import Glibc
internal import Synchronization

/// How many descriptors a process may have (RLIMIT_NOFILE, getrlimit(2)).
public struct OpenFileLimit: Hashable, Codable, Sendable {
    /// What the kernel enforces.
    public var soft: UInt64
    /// What the process may raise that to.
    public var hard: UInt64

    /// Both parts of the limit.
    public init(soft: UInt64, hard: UInt64) {
        self.soft = soft
        self.hard = hard
    }

    /// Raises the soft limit of this process to the hard one. A supervisor holds two descriptors a worker, three
    /// of a `sergeant` worker; the 1024 that is customary ends at some 300 to 500 of them.
    ///
    /// - Returns: the limit as it was found, also where it was raised before, for
    ///   ``GroupConfiguration/openFileLimit``; nil where nothing was changed.
    public static func raise() -> OpenFileLimit? {
        if let found { return found }
        var found = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &found) == 0,
            found.rlim_cur < found.rlim_max
        else { return nil }
        var raised = rlimit(rlim_cur: found.rlim_max, rlim_max: found.rlim_max)
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 else { return nil }
        let before = OpenFileLimit(soft: UInt64(found.rlim_cur), hard: UInt64(found.rlim_max))
        raisedFrom.withLock { $0 = before }
        return before
    }

    private static let raisedFrom = Mutex<OpenFileLimit?>(nil)

    /// The limit before it was raised, by this image of the program or one before; nil where it was not.
    static var found: OpenFileLimit? { raisedFrom.withLock { $0 } }

    /// What the image before found. It raised the limit, and exec keeps it raised.
    static func recall(_ found: OpenFileLimit?) {
        raisedFrom.withLock { $0 = found }
    }

    /// The supervisor's own descriptors, and what is open for a moment.
    private static let own: UInt64 = 24

    /// Another image of the program is to go on with this many descriptors, and opens its own beside them.
    ///
    /// - Throws: ``SupervisorError`` where this process may not have so many: that image would have to give up.
    static func check(forNextImageWith inherited: Int) throws(SupervisorError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let needed = own + UInt64(inherited)
        guard needed > limit.rlim_cur else { return }
        throw SupervisorError(
            .system,
            "to go on it needs \(needed) open files, and \(limit.rlim_cur) are allowed: allow more, with prlimit(1)"
        )
    }

    /// - Throws: ``SupervisorError`` where the workers need more descriptors than this process may have.
    static func check(for groups: [GroupConfiguration], sockets: Int) throws(SupervisorError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        var workers = 0
        var needed = own + UInt64(sockets + groups.reduce(0) { $0 + $1.listen.count })
        for group in groups {
            workers += group.workers
            var each: UInt64 = 2
            if case .sergeant = group.program { each += 1 }
            if group.notifies { each += 1 }
            if group.output == .prefix { each += 1 }
            needed += 2 + each * UInt64(group.workers)
        }
        guard needed > limit.rlim_cur else { return }
        throw SupervisorError(
            .system,
            "\(workers) worker\(workers == 1 ? "" : "s") \(workers == 1 ? "needs" : "need") \(needed) open files, and \(limit.rlim_cur) are allowed: "
                + "allow more, with ulimit -n \(needed) or LimitNOFILE=\(needed) in the unit")
    }
}
