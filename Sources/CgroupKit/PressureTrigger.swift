import CLinux
import Glibc

/// Tells when a cgroup was short of a resource for longer than it may (a PSI trigger, the kernel's
/// `Documentation/accounting/psi.rst`).
public struct PressureTrigger: ~Copyable, Sendable {
    /// Non-blocking and close-on-exec; `POLLPRI` each time the limit is passed, at most once a window, and `POLLERR` when
    /// the cgroup is gone. Owned by this value.
    public let descriptor: Int32

    /// Sets a trigger on the time in which all tasks of a cgroup waited at once (`full`).
    ///
    /// A window that is a multiple of 2 s is asked for without CAP_SYS_RESOURCE, even where we have it: the kernel would
    /// start a thread for each such trigger.
    ///
    /// Throws `EOPNOTSUPP` where the kernel has PSI switched off, `EINVAL` for a window outside 0.5 s to 10 s, or one that is
    /// no multiple of 2 s without that capability.
    ///
    /// - Parameters:
    ///   - stall: microseconds that are still borne within a window.
    ///   - window: microseconds.
    public init(
        _ resource: Pressure.Resource, of cgroup: borrowing Cgroup, stallMicroseconds stall: UInt64,
        windowMicroseconds window: UInt64
    ) throws(CgroupError) {
        let name = "\(resource.rawValue).pressure"
        let text = "full \(stall) \(window)"
        let result = linux_open_pressure(cgroup.descriptor, name, text, window % 2_000_000 == 0)
        guard result >= 0 else {
            throw CgroupError(
                operation: "write", path: "\(cgroup.path)/\(name)", value: text,
                errno: KernelFile.reason(-result, beneath: cgroup.descriptor))
        }
        descriptor = result
    }

    deinit { close(descriptor) }
}
