import CLinux
import Glibc

/// What came of `Cgroup.lock()`.
public enum LockOutcome: Hashable, Sendable {
    /// It is ours until the `Cgroup` is closed.
    case acquired
    /// Another has it. `pid` is `nil` if `/proc/locks` does not show it, as for one in another PID namespace.
    case heldBy(pid: Int32?)
}

extension Cgroup {
    /// Takes this cgroup for ourselves among programs that do the same: flock(2) on the directory, without
    /// waiting. It ends with this value, or with the process.
    public borrowing func lock() throws(CgroupError) -> LockOutcome {
        while true {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return .acquired }
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw CgroupError(operation: "lock", path: path, errno: errno) }
            var status = Glibc.stat()
            guard fstat(descriptor, &status) == 0 else {
                throw CgroupError(operation: "lock", path: path, errno: errno)
            }
            let device = UInt64(status.st_dev)
            let inode = UInt64(status.st_ino)
            let holder = try KernelFile.readAll("/proc/locks") {
                Self.holder(inLocks: $0, device: device, inode: inode)
            }
            return .heldBy(pid: holder)
        }
    }

    /// The process that holds the flock on a file, from the text of `/proc/locks` (proc(5)):
    /// `1: FLOCK  ADVISORY  WRITE 4321 00:1b:42 0 EOF`.
    package static func holder(inLocks bytes: Span<UInt8>, device: UInt64, inode: UInt64) -> Int32? {
        // The kernel's dev_t is packed as glibc's makedev(3) does.
        let major = (device >> 8) & 0xfff | (device >> 32) & ~0xfff
        let minor = device & 0xff | (device >> 12) & ~0xff
        var lines = KernelText.Lines()
        while let line = lines.next(in: bytes) {
            var words = KernelText.Words(of: line)
            // A waiter has an arrow behind its number and so another word here.
            guard words.next(in: bytes) != nil, let kind = words.next(in: bytes),
                KernelText.equals(bytes, kind, "FLOCK"), words.next(in: bytes) != nil,
                words.next(in: bytes) != nil, let process = words.next(in: bytes),
                let file = words.next(in: bytes)
            else { continue }
            let parts = KernelText.string(bytes, file).split(separator: ":")
            guard parts.count == 3, UInt64(parts[0], radix: 16) == major,
                UInt64(parts[1], radix: 16) == minor,
                UInt64(parts[2]) == inode
            else { continue }
            return KernelText.number(bytes, process).flatMap { Int32(exactly: $0) }.flatMap {
                $0 > 0 ? $0 : nil
            }
        }
        return nil
    }
}
