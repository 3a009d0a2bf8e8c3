import CLinux

/// What to run: everything about a process that is not its cgroup.
public struct ProcessSpecification: Sendable {
    /// How the process is made.
    public enum Mode: Hashable, Sendable, CaseIterable {
        /// `CLONE_VM | CLONE_VFORK`: fastest. The caller stops until exec, so not for a cgroup that is frozen,
        /// has a CPU limit, or is above `memory.high`.
        case sharesMemory
        /// A plain clone. The caller goes on at once; whether exec succeeded, `StartStatus` tells later.
        case copiesMemory
    }

    /// A descriptor of ours, and the number at which the process finds it.
    public struct Descriptor: Hashable, Sendable {
        /// Our number.
        public var source: Int32
        /// The number at which the process finds it.
        public var target: Int32

        /// Hands on `source` as `target`.
        public init(source: Int32, target: Int32) {
            self.source = source
            self.target = target
        }
    }

    /// A limit of getrlimit(2).
    public struct ResourceLimit: Hashable, Sendable {
        /// One of `RLIMIT_…`.
        public var resource: Int32
        /// The limit in force; `UInt64.max` is none.
        public var soft: UInt64
        /// How far the process may raise it.
        public var hard: UInt64

        /// Both limits.
        public init(_ resource: Int32, soft: UInt64, hard: UInt64) {
            self.resource = resource
            self.soft = soft
            self.hard = hard
        }
    }

    /// Whom the process runs as: with these groups and no others, a session keyring of its own, and no capability but
    /// what its program's file gives it.
    public struct User: Hashable, Sendable {
        /// Real, effective and saved.
        public var user: UInt32
        /// Real, effective and saved.
        public var group: UInt32
        /// The supplementary ones.
        public var groups: [UInt32]

        /// Takes each part as it is.
        public init(user: UInt32, group: UInt32, groups: [UInt32]) {
            self.user = user
            self.group = group
            self.groups = groups
        }
    }

    /// The program's path; it is not searched for in `PATH`.
    public var executable: String
    /// All arguments, the program's own name first.
    public var arguments: [String]
    /// The whole environment, each as `NAME=value`.
    public var environment: [String]
    /// Variables that hold the process's own PID, such as `LISTEN_PID`: set beside `environment`.
    public var pidVariables: [String] = []
    /// Descriptors to hand on. 0, 1 and 2 are inherited unless they are targets here; all others are closed.
    public var descriptors: [Descriptor] = []
    /// Whether it leads a session of its own (setsid(2)).
    public var newSession = true
    /// Signals that go back to their default: bit n-1 for signal n. Those with a handler do so anyway; this is
    /// for the ones we ignore.
    public var resetSignals: UInt64 = 0
    /// Limits that are not to be ours; raising a hard one needs CAP_SYS_RESOURCE.
    public var resourceLimits: [ResourceLimit] = []
    /// Whom it runs as; `nil` for ours. Needs CAP_SETUID and CAP_SETGID, and mode `copiesMemory`: that user may stop the
    /// process before exec, which the caller would wait for.
    public var user: User?
    /// No program that it executes gets privileges by its file's set-user-ID bit or capabilities (PR_SET_NO_NEW_PRIVS).
    public var noNewPrivileges = false
    /// `oom_score_adj`, from -1000 to 1000; `nil` to inherit ours.
    public var oomScoreAdjustment: Int32?
    /// The directory it starts in, entered as ``user-swift.property``; `nil` for ours.
    public var workingDirectory: String?
    /// Permissions that files it makes do not get, umask(2); `nil` to inherit ours.
    public var fileModeMask: UInt32?
    /// How the process is made.
    public var mode = Mode.sharesMemory

    /// A program in a session of its own, with descriptors 0, 1 and 2 only.
    public init(executable: String, arguments: [String], environment: [String]) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }

    /// The signals that this process ignores now, for `resetSignals`. One call per signal: ask once.
    public static func ignoredSignals() -> UInt64 { linux_ignored_signals() }
}
