internal import CgroupKit
internal import Glibc

/// What a supervisor of a configuration would meet here, found by the ways that a start takes, and nothing changed.
struct Prospect {
    /// Where its cgroups would be; nil where there is no such place.
    private(set) var ground: Ground?
    /// The controllers that its root has, or would have.
    private(set) var controllers: Controllers = []
    /// Why it could not start, in the words in which it would say so; nil where it could.
    private(set) var obstacle: String?

    init(_ configuration: Configuration) {
        do throws(SupervisorError) {
            try Subtree.checkKernel()
            let ground = try Ground(configuration, asksSystemd: false)
            self.ground = ground
            try Subtree.checkParent(ground)
            let place = ground.parent ?? ground.directory
            // A directory of our own beneath the hierarchy's root has what can be enabled there.
            do throws(CgroupError) { controllers = try Cgroup.open(place).controllers() } catch {
                throw Subtree.unusable(error)
            }
            try Self.checkAccess(ground)
            let needed = Subtree.needed(configuration)
            let missing = needed.subtracting(controllers)
            guard missing.isEmpty else {
                // A root of our own making has what was enabled for it, no more.
                let given =
                    ground.parent == nil ? controllers : controllers.intersection(needed.union(.memory))
                throw SupervisorError(
                    .noUsableCgroup, Subtree.sentence(forMissing: missing, of: given, in: ground.directory))
            }
            if configuration.groups.contains(where: { $0.limits.swapMax != nil }),
                Self.accountsSwap(place) == false
            {
                throw Subtree.unusable(
                    CgroupError(operation: "open", path: "\(place)/memory.swap.max", errno: ENOENT))
            }
        } catch {
            obstacle = error.description
        }
    }

    /// Nil where it cannot be seen: in the root, or without the memory controller.
    static func accountsSwap(_ directory: String) -> Bool? {
        guard access("\(directory)/memory.current", F_OK) == 0 else { return nil }
        return access("\(directory)/memory.swap.max", F_OK) == 0
    }

    private static func checkAccess(_ ground: Ground) throws(SupervisorError) {
        let place = ground.parent ?? ground.directory
        guard access(place, W_OK) == 0 else {
            let made = ground.parent == nil ? Subtree.supervisorLeaf : ground.name
            throw Subtree.unusable(CgroupError(operation: "make", path: "\(place)/\(made)", errno: errno))
        }
        for file in ["cgroup.procs", "cgroup.subtree_control"] where access("\(place)/\(file)", W_OK) != 0 {
            throw Subtree.unusable(CgroupError(operation: "write", path: "\(place)/\(file)", errno: errno))
        }
    }
}
