import CLinux
import Glibc

/// What a `CgroupWatcher` saw.
public enum WatchEvent: Hashable, Sendable {
    /// The file of that watch changed: read it again. Several changes may be one event.
    case modified(Int32)
    /// The kernel dropped events: read every watched file again.
    case overflow
    /// That watch is gone: it was taken off, or (from Linux 7.1) its cgroup was removed.
    case removed(Int32)
}

/// Notifications of changes in the files of many cgroups, by one inotify descriptor (inotify(7)).
///
/// `memory.events`, `memory.events.local`, `pids.events` and `cgroup.events` notify; `memory.current`,
/// `memory.stat` and the peaks never do. Before Linux 7.1 nothing is heard of a removed cgroup, so take its
/// watches off first.
public struct CgroupWatcher: ~Copyable, Sendable {
    /// Non-blocking and close-on-exec; readable when there is something to `drain`. Owned by this value.
    public let descriptor: Int32

    /// Throws `EMFILE` at `fs.inotify.max_user_instances`.
    public init() throws(CgroupError) {
        descriptor = inotify_init1(LINUX_IN_NONBLOCK | LINUX_IN_CLOEXEC)
        guard descriptor >= 0 else {
            throw CgroupError(operation: "make", path: "an inotify descriptor", errno: errno)
        }
    }

    deinit { close(descriptor) }

    /// Watches one file of a cgroup. Returns the watch, the same one if it is watched already.
    ///
    /// Throws `ENOENT` if there is no such file, and `ENOSPC` at `fs.inotify.max_user_watches`.
    public borrowing func watch(_ cgroup: borrowing Cgroup, _ file: String) throws(CgroupError) -> Int32 {
        // Through the descriptor: the same cgroup, though its path may have been reused.
        let watch = inotify_add_watch(
            descriptor, "/proc/self/fd/\(cgroup.descriptor)/\(file)", UInt32(IN_MODIFY))
        guard watch >= 0 else {
            let code = KernelFile.reason(errno, beneath: cgroup.descriptor)
            throw CgroupError(operation: "watch", path: "\(cgroup.path)/\(file)", errno: code)
        }
        return watch
    }

    /// Takes a watch off. Its `removed` still comes. One that is gone already is no error.
    public borrowing func unwatch(_ watch: Int32) {
        // EINVAL: the kernel took it off itself. There is nothing else to go wrong with a descriptor of ours.
        _ = inotify_rm_watch(descriptor, watch)
    }

    /// Hands on all that has come. Does not wait.
    public borrowing func drain(_ body: (WatchEvent) -> Void) throws(CgroupError) {
        let header = MemoryLayout<inotify_event>.size
        let largest = header + 256  // NAME_MAX and its null
        try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { (buffer) throws(CgroupError) in
            while true {
                let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN { return }
                    throw CgroupError(operation: "read", path: "an inotify descriptor", errno: errno)
                }
                var position = 0
                while position + header <= count {
                    let event = buffer.loadUnaligned(fromByteOffset: position, as: inotify_event.self)
                    position += header + Int(event.len)
                    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                        body(.overflow)
                    } else if event.mask & UInt32(IN_IGNORED) != 0 {
                        body(.removed(event.wd))
                    } else if event.mask & UInt32(IN_MODIFY) != 0 {
                        body(.modified(event.wd))
                    }
                }
                // Had another event been there, it would have fitted.
                if count <= buffer.count - largest { return }
            }
        }
    }
}
