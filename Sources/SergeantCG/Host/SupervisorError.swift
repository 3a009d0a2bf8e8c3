/// Why a supervisor could not start, or could not go on.
public struct SupervisorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of trouble that end a supervisor.
    public enum Kind: Hashable, Sendable {
        /// The configuration contradicts itself.
        case configuration
        /// What was asked of a supervisor is nothing that it could ever do.
        case usage
        /// There is no cgroup v2 that can be used as asked.
        case noUsableCgroup
        /// Another supervisor holds what this one needs for itself alone.
        case alreadyRuns
        /// There is no supervisor to talk to.
        case unreachable
        /// There is one, and it is another user's.
        case notPermitted
        /// A worker's program is missing or cannot be executed.
        case cannotRun
        /// The kernel refused something else that is needed.
        case system
    }

    /// What kind of trouble it is; the exit code follows from it.
    public var kind: Kind
    /// One sentence that a person can act on.
    public var description: String

    /// What the kernel said, where it was the kernel; the sentence has it in words.
    public var errno: Int32?

    /// An error with this sentence.
    public init(_ kind: Kind, _ description: String, errno: Int32? = nil) {
        self.kind = kind
        self.description = description
        self.errno = errno
    }

    /// sysexits(3): 78 for a bad configuration, 64 for a request that makes no sense, 69 for no usable cgroup, one that is taken, or no supervisor to talk to,
    /// 77 for another user's, 1 else.
    public var exitCode: Int32 {
        switch kind {
        case .configuration: 78
        case .usage: 64
        case .noUsableCgroup, .alreadyRuns, .unreachable: 69
        case .notPermitted: 77
        case .cannotRun, .system: 1
        }
    }
}
