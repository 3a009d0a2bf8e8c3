internal import CLinux
internal import CgroupKit
internal import Glibc

/// What this process may use of the machine, for `auto` and `%`.
public enum Capacity {
    /// Bytes: the least `memory.max` of its own cgroup and those above, else the machine's memory.
    public static func memory() -> UInt64 {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        let size = sysconf(Int32(_SC_PAGESIZE))
        var least = UInt64(max(pages, 0)) * UInt64(max(size, 0))
        forEachOwnCgroup { cgroup in
            if case .bytes(let bytes)? = try? cgroup.memoryMax() { least = min(least, bytes) }
        }
        return least
    }

    /// The CPUs of its affinity, or fewer where `cpu.max` of its own cgroup or one above says so; at least 1.
    public static func processors() -> Int {
        var most = Double(linux_cpu_count())
        forEachOwnCgroup { cgroup in
            if case .quota(let quota, let period)? = try? cgroup.cpuMax(), period > 0 {
                most = min(most, Double(quota) / Double(period))
            }
        }
        return max(1, Int(most.rounded(.up)))
    }

    private static func forEachOwnCgroup(_ body: (borrowing Cgroup) -> Void) {
        guard let mount = try? Mount.find(), let own = try? OwnPlace.find(),
            var directory = mount.directory(of: own)
        else { return }
        while directory.utf8.count >= mount.mountPoint.utf8.count {
            if let cgroup = try? Cgroup.open(directory) { body(cgroup) }
            guard let slash = PathText.lastSlash(in: directory), directory != mount.mountPoint else { return }
            directory = String(directory[..<slash])
        }
    }
}
