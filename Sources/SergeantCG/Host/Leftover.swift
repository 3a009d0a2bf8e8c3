internal import CLinux
internal import CgroupKit
internal import Glibc

/// What a supervisor that was killed left running in its cgroup, and the mark by which the next one knows a worker's main
/// process among the others there.
enum Leftover {
    /// An extended attribute of an incarnation's cgroup: the process ID of its main process.
    private static let attribute = "user.sergeantcg.main"

    /// Marks a worker that is to outlive its supervisor.
    static func mark(_ cgroup: borrowing Cgroup, main pid: Int32) {
        let text = String(pid)
        // One that cannot be marked is killed as others are.
        _ = linux_fsetxattr(cgroup.descriptor, attribute, text, text.utf8.count)
    }

    /// Those that run, one for a slot that the group has now; the newest where there are several.
    ///
    /// - Parameter group: the group's cgroup, which is no living supervisor's.
    static func workers(
        in group: borrowing Cgroup, of configuration: GroupConfiguration, except known: Set<Int>
    ) throws(CgroupError) -> [Adoptee] {
        var newest: [Int: Adoptee.Key] = [:]
        for name in try group.children() {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            guard parts.count == 2, parts[0] >= 1, parts[0] <= configuration.workers, parts[1] >= 1,
                !known.contains(parts[0]), newest[parts[0]].map({ $0.number < parts[1] }) ?? true
            else { continue }
            let key = Adoptee.Key(group: configuration.name, slot: parts[0], number: parts[1])
            // A name that is written otherwise is not ours.
            if key.directory == name { newest[parts[0]] = key }
        }
        var workers: [Adoptee] = []
        for key in newest.values {
            let cgroup = try group.openChild(key.directory)
            guard let pid = main(of: cgroup) else { continue }
            let pidfd = linux_pidfd_open(pid, 0)
            guard pidfd >= 0 else { continue }
            let adoptee = Adoptee(key, pid: pid, pidfd: pidfd)
            // The number may have been another's by the time it was opened.
            if try cgroup.processes().contains(pid), !hasEnded(pidfd: pidfd) { workers.append(adoptee) }
        }
        return workers
    }

    private static func main(of cgroup: borrowing Cgroup) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = linux_fgetxattr(cgroup.descriptor, attribute, &text, text.count)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text.prefix(Int(count)), as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
    }
}
