import CLinux
import Glibc

/// A system call on a cgroup that failed: what was tried, where, with which value, and why.
public struct CgroupError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, as a verb: `write`, `read`, `open`, `make`, `remove`, `wait for`, …
    public var operation: String
    /// The file or directory it was tried on.
    public var path: String
    /// What was being written, if anything was.
    public var value: String?
    /// Why it failed, as in errno(3). `EBADMSG` means that the file held something else than it should.
    public var errno: Int32

    /// An error of a call that has just failed.
    public init(operation: String, path: String, value: String? = nil, errno: Int32) {
        self.operation = operation
        self.path = path
        self.value = value
        self.errno = errno
    }

    /// One sentence that a person can act on.
    public var description: String {
        var text = "cannot \(operation) "
        if let value { text += "'\(value)' to " }
        text += path
        let name = ErrorCode.name(errno)
        text += ": \(ErrorCode.text(errno)) (\(name)"
        if let hint { text += ": \(hint)" }
        return text + ")"
    }

    /// What the errno means here, where a cgroup gives it a meaning of its own.
    public var hint: String? {
        let file = path.split(separator: "/").last.map { String($0) } ?? ""
        switch (errno, file) {
        case (ENODEV, _):
            return "this cgroup has been removed"
        case (EROFS, _):
            return "the cgroup file system is mounted read-only here"
        case (EACCES, _), (EPERM, _):
            if file == "cgroup.procs" {
                return "the first cgroup above both places must be delegated to this user too"
            }
            return "this cgroup is not delegated to this user"
        case (EBUSY, "cgroup.subtree_control"):
            if value?.utf8.first == UInt8(ascii: "-") { return "a child still uses this controller" }
            return "a process is still in this cgroup"
        case (EBUSY, "cgroup.procs"):
            return "controllers are enabled for its children, so it cannot hold processes itself"
        case (EBUSY, _) where operation == "remove":
            return "a process or a cgroup is still in it"
        case (ENOENT, "cgroup.subtree_control") where operation == "write":
            return "this controller is not available here; see cgroup.controllers"
        case (EINVAL, "cgroup.subtree_control") where operation == "write":
            return "this kernel does not know the controller"
        case (ENOENT, "mountinfo"):
            return "mount it: mount -t cgroup2 none /sys/fs/cgroup"
        case (EXDEV, _) where operation.hasPrefix("find our own cgroup"):
            return "it was mounted outside our cgroup namespace; mount cgroup2 again inside"
        case (ENOENT, _) where Self.isPressure(file), (EOPNOTSUPP, _) where Self.isPressure(file):
            return "this kernel has no pressure stall information, or it is switched off"
        case (ENOENT, "cgroup.kill"):
            return "needs Linux 5.14"
        case (ENOENT, "io.weight"):
            return "needs the io controller enabled in the parent's cgroup.subtree_control, and blk-iocost"
        case (ENOENT, _) where file.hasPrefix("memory.swap."):
            return "needs swap in this kernel, and the memory controller enabled in the parent's "
                + "cgroup.subtree_control"
        case (EAGAIN, "memory.reclaim"):
            return "only fewer bytes could be taken back"
        case (ENOENT, "memory.peak"):
            return
                "needs Linux 5.19, and the memory controller enabled in the parent's cgroup.subtree_control"
        case (ENOENT, _):
            guard let controller = Self.controller(of: file) else { return nil }
            return "the \(controller) controller is not enabled in the parent's cgroup.subtree_control"
        case (EOPNOTSUPP, "cgroup.procs"):
            return "this is a threaded cgroup, or an invalid one beneath a threaded one"
        case (EOPNOTSUPP, "cgroup.subtree_control"):
            return "this cgroup is part of a threaded subtree"
        case (ESRCH, "cgroup.procs"):
            return "there is no such process"
        case (EAGAIN, _) where operation == "make":
            return "cgroup.max.descendants or cgroup.max.depth of a cgroup above is reached"
        case (EBADMSG, _):
            return "the file does not hold what this kernel interface promises"
        case (EMEDIUMTYPE, _):
            return "this is not a cgroup v2 file system"
        default:
            return nil
        }
    }

    private static func controller(of file: String) -> String? {
        guard let dot = file.firstIndex(of: ".") else { return nil }
        let name = String(file[..<dot])
        return Controllers(name: name) == nil ? nil : name
    }

    private static func isPressure(_ file: String) -> Bool {
        ["memory.pressure", "cpu.pressure", "io.pressure"].contains(file)
    }
}

/// The names and texts of errno(3), untranslated.
package enum ErrorCode {
    /// The name, as "EBUSY".
    package static func name(_ code: Int32) -> String {
        linux_errno_name(code).map { String(cString: $0) } ?? "errno \(code)"
    }

    /// The text, as "Device or resource busy".
    package static func text(_ code: Int32) -> String {
        linux_errno_text(code).map { String(cString: $0) } ?? "unknown error"
    }
}
