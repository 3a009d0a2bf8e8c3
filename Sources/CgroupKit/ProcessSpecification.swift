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

    /// Soft and hard `RLIMIT_NOFILE`.
    public struct FileLimit: Hashable, Sendable {
        /// The limit in force.
        public var soft: UInt64
        /// How far the process may raise it.
        public var hard: UInt64

        /// Both limits.
        public init(soft: UInt64, hard: UInt64) {
            self.soft = soft
            self.hard = hard
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
    /// `RLIMIT_NOFILE`; `nil` to inherit ours.
    public var fileLimit: FileLimit?
    /// `oom_score_adj`, from -1000 to 1000; `nil` to inherit ours.
    public var oomScoreAdjustment: Int32?
    /// The directory it starts in; `nil` for ours.
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
