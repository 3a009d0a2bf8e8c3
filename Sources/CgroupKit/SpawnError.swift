import CLinux
import Glibc

/// A process that could not be started. None is left behind, nor a descriptor.
public struct SpawnError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The step that failed.
    public enum Stage: Int32, Hashable, Sendable {
        /// Ours, before any process: a stack, a pipe, or a specification that cannot be.
        case prepare = 1
        /// clone3(2) into the cgroup.
        case clone = 2
        /// A descriptor table of its own.
        case unshare = 3
        /// Bringing descriptors to their numbers.
        case descriptors = 4
        /// Signal dispositions and mask.
        case signals = 5
        /// setsid(2).
        case session = 6
        /// `oom_score_adj`.
        case oomScore = 7
        /// `RLIMIT_NOFILE`.
        case fileLimit = 8
        /// execve(2).
        case exec = 9
        /// chdir(2).
        case directory = 10
    }

    /// The step that failed.
    public var stage: Stage
    /// Why, as in errno(3).
    public var errno: Int32
    /// The program.
    public var executable: String
    /// The cgroup's path; empty before there is one.
    public var cgroup: String

    /// A failure of this step.
    public init(stage: Stage, errno: Int32, executable: String, cgroup: String) {
        self.stage = stage
        self.errno = errno
        self.executable = executable
        self.cgroup = cgroup
    }

    /// Whether trying again later cannot help, because the program itself is at fault: it is not there, may not
    /// be run, is no program, or is given more than a program can be.
    public var isProgramFault: Bool {
        stage == .exec
            && [ENOENT, EACCES, EPERM, ENOEXEC, ENOTDIR, EISDIR, ELOOP, ELIBBAD, ENAMETOOLONG, EINVAL, E2BIG]
                .contains(errno)
    }

    /// One sentence that a person can act on.
    public var description: String {
        let step =
            switch stage {
            case .prepare: "prepare to run \(executable)"
            case .clone: "start \(executable) in \(cgroup)"
            case .unshare: "give \(executable) descriptors of its own"
            case .descriptors: "hand descriptors to \(executable)"
            case .signals: "set the signals of \(executable)"
            case .session: "give \(executable) a session of its own"
            case .oomScore: "set the oom_score_adj of \(executable)"
            case .fileLimit: "set the open file limit of \(executable)"
            case .exec: "execute \(executable)"
            case .directory: "enter the working directory of \(executable)"
            }
        var text = "cannot \(step): \(ErrorCode.text(errno)) (\(ErrorCode.name(errno))"
        if let hint { text += ": \(hint)" }
        return text + ")"
    }

    /// What the errno means at this stage, where it is not plain.
    public var hint: String? {
        switch (stage, errno) {
        case (.clone, EACCES), (.clone, EPERM):
            "the first cgroup above both places must be delegated to this user"
        case (.clone, EBUSY): "controllers are enabled for its children, so it cannot hold processes itself"
        case (.clone, EAGAIN): "pids.max of a cgroup, or the user's process limit, is reached"
        case (.clone, ENODEV): "this cgroup has been removed"
        case (.clone, ENOSYS): "clone3 is missing or forbidden by a seccomp filter"
        case (.clone, EOPNOTSUPP): "this cgroup is threaded, or an invalid one beneath a threaded one"
        case (.prepare, EINVAL):
            "an argument or variable holds a null byte, or a descriptor number is used twice"
        case (.oomScore, EACCES): "lowering it needs CAP_SYS_RESOURCE"
        case (.fileLimit, EPERM): "raising the hard limit needs CAP_SYS_RESOURCE"
        case (.exec, ENOENT): "it does not exist, or the interpreter it names does not"
        case (.exec, ENOEXEC): "it is no program of this machine; does a script lack its #! line?"
        default: nil
        }
    }
}
