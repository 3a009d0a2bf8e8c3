import CLinux
import Glibc

/// Which cgroup this process is in.
public enum OwnPlace {
    /// The path of the line `0::/path` in the text of `/proc/PID/cgroup` (cgroups(7)); `nil` if there is none.
    ///
    /// The path is as seen from the reader's cgroup namespace: `/..` at its start means outside of it, and
    /// ` (deleted)` at its end, that the cgroup was removed.
    public static func parse(_ bytes: Span<UInt8>) -> String? {
        var lines = KernelText.Lines()
        while let line = lines.next(in: bytes) {
            let prefix: StaticString = "0::"
            guard KernelText.begins(bytes, line, with: prefix) else { continue }
            let path = line.lowerBound + prefix.utf8CodeUnitCount..<line.upperBound
            guard !path.isEmpty, bytes[path.lowerBound] == UInt8(ascii: "/") else { return nil }
            return KernelText.string(bytes, path)
        }
        return nil
    }

    /// The same for an array.
    public static func parse(_ bytes: [UInt8]) -> String? { parse(bytes.span) }

    /// The path of this process's cgroup from the root of its cgroup namespace, `/a/b`.
    ///
    /// Throws `ENOENT` on a kernel without cgroup v2.
    public static func find() throws(CgroupError) -> String { try find(in: "/proc/self/cgroup") }

    /// The same of another process. Its number may be another's by now, unless it is a child not yet waited for.
    ///
    /// Throws `ENOENT` or `ESRCH` where there is no such process.
    public static func find(of process: Int32) throws(CgroupError) -> String {
        try find(in: "/proc/\(process)/cgroup")
    }

    private static func find(in path: String) throws(CgroupError) -> String {
        guard let place = try KernelFile.readAll(path, { parse($0) }) else {
            throw CgroupError(operation: "find a cgroup v2 in", path: path, errno: ENOENT)
        }
        return place
    }

    /// The absolute directory of this process's cgroup: its path beneath the cgroup v2 mount, taking into
    /// account that the mount may show a part of the hierarchy only.
    ///
    /// Throws `EXDEV` if no mount shows it, which is so where cgroup2 was mounted outside our cgroup namespace.
    public static func directory() throws(CgroupError) -> String {
        let mount = try Mount.find()
        let place = try find()
        guard let directory = mount.directory(of: place) else {
            throw CgroupError(
                operation: "find our own cgroup \(place) in", path: mount.mountPoint, errno: EXDEV)
        }
        return directory
    }
}
