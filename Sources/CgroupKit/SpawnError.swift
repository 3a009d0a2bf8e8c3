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
        /// prlimit(2).
        case limits = 8
        /// execve(2).
        case exec = 9
        /// chdir(2).
        case directory = 10
        /// A session keyring of its own, keyctl(2).
        case keyring = 11
        /// setgroups(2), setresgid(2).
        case groups = 12
        /// setresuid(2), capset(2).
        case user = 13
        /// PR_SET_NO_NEW_PRIVS, prctl(2).
        case privileges = 14
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
            case .limits: "set the resource limits of \(executable)"
            case .exec: "execute \(executable)"
            case .directory: "enter the working directory of \(executable)"
            case .keyring: "give \(executable) a session keyring of its own"
            case .groups: "take on the groups for \(executable)"
            case .user: "become the user that \(executable) is to run as"
            case .privileges: "forbid \(executable) new privileges"
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
            "an argument or variable holds a null byte, a descriptor number is used twice, or memory is shared with "
                + "another user's process"
        case (.oomScore, EACCES): "lowering it needs CAP_SYS_RESOURCE"
        case (.limits, EPERM): "raising a hard limit needs CAP_SYS_RESOURCE"
        case (.groups, EPERM): "that needs CAP_SETGID"
        case (.user, EPERM): "that needs CAP_SETUID"
        case (.exec, EACCES):
            "the user it runs as must be allowed to execute it, and to search every directory above it"
        case (.directory, EACCES):
            "the user it runs as must be allowed to search it, and every directory above it"
        case (.exec, EAGAIN): "the user it runs as has as many processes as RLIMIT_NPROC allows"
        case (.exec, ENOENT): "it does not exist, or the interpreter it names does not"
        case (.exec, ENOEXEC): "it is no program of this machine; does a script lack its #! line?"
        default: nil
        }
    }
}
