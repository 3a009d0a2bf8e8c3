internal import CgroupKit
internal import Glibc

/// What an earlier supervisor left here, and what becomes of it.
extension Subtree {
    /// Workers that an earlier supervisor left, in groups that are to go on with them.
    func findLeft(of groups: [GroupConfiguration]) throws(SupervisorError) -> [Adoptee] {
        var found: [Adoptee] = []
        do throws(CgroupError) {
            let names = Set(try root.children())
            for group in groups where group.onLeftover == .adopt && names.contains(group.name) {
                let known = Set(adopted.map(\.key).filter { $0.group == group.name }.map(\.slot))
                found += try Leftover.workers(in: root.openChild(group.name), of: group, except: known)
            }
        } catch {
            throw SupervisorError(
                .noUsableCgroup, "cannot look for what an earlier supervisor left: \(error.description)")
        }
        return found
    }

    /// Only directories of the form `<group>/<slot>.<incarnation>` are ours, and a group's directory that one of
    /// us made and that is empty by now; nothing else is touched.
    func clearLeftovers() throws(SupervisorError) {
        var cleared = 0
        var killed = 0
        do throws(CgroupError) {
            for name in try root.children() where name != Self.supervisorLeaf {
                let child = try root.openChild(name)
                guard try Self.isLeft(child, name) else { continue }
                let spared = adopted.map(\.key).filter { $0.group == name }.map(\.directory)
                if !spared.isEmpty {
                    killed += try Self.clear(child, sparing: Set(spared), &cleared)
                    continue
                }
                let leaves = try Self.incarnations(in: child)
                cleared += leaves.count
                killed += leaves.reduce(0) { $0 + $1 }
                try child.kill()
                try child.waitUntilEmpty(timeoutMicroseconds: 5_000_000)
                try root.removeChild(name)
            }
        } catch {
            throw SupervisorError(
                .noUsableCgroup, "cannot clear away what an earlier supervisor left: \(error.description)")
        }
        if cleared > 0 {
            notices.append(
                "killed \(killed) process\(killed == 1 ? "" : "es") in \(cleared) cgroup\(cleared == 1 ? "" : "s") "
                    + "that an earlier supervisor left in \(root.path)")
        }
    }

    /// - Returns: how many processes were killed.
    private static func clear(
        _ group: borrowing Cgroup, sparing spared: Set<String>, _ cleared: inout Int
    ) throws(CgroupError) -> Int {
        var killed = 0
        for leaf in try group.children() where !spared.contains(leaf) {
            let cgroup = try group.openChild(leaf)
            killed += try cgroup.processes().count
            cleared += 1
            try cgroup.kill()
            try cgroup.waitUntilEmpty(timeoutMicroseconds: 5_000_000)
            try group.removeChild(leaf)
        }
        return killed
    }

    /// A group's directory, or the whole place of an instance beside us where nobody runs any more.
    private static func isLeft(_ child: borrowing Cgroup, _ name: String) throws(CgroupError) -> Bool {
        if name.hasPrefix(instancePrefix), isMarked(child) {
            guard case .acquired = try child.lock() else { return false }
            return true
        }
        let leaves = try child.children()
        return leaves.isEmpty ? isMarked(child) : leaves.allSatisfy(isIncarnation)
    }

    /// How many processes are in each incarnation's cgroup, here and one level below.
    private static func incarnations(in cgroup: borrowing Cgroup) throws(CgroupError) -> [Int] {
        var counts: [Int] = []
        for name in try cgroup.children() {
            let child = try cgroup.openChild(name)
            if isIncarnation(name) {
                counts.append(try child.processes().count)
                continue
            }
            for leaf in try child.children() where isIncarnation(leaf) {
                counts.append(try child.openChild(leaf).processes().count)
            }
        }
        return counts
    }

    private static func isIncarnation(_ leaf: String) -> Bool {
        let parts = leaf.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { Int($0) ?? 0 > 0 }
    }
}
