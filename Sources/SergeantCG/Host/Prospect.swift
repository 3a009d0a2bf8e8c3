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
            // Its own directory has what those beneath it will have, unless it is the hierarchy's root.
            for limits in configuration.groups.map(\.limits)
            where ground.parent == nil && limits.controllers.isSubset(of: Self.visible(in: place)) {
                if let sentence = Subtree.sentence(forMissingFileOf: limits, in: place) {
                    throw SupervisorError(.noUsableCgroup, sentence)
                }
            }
            for group in configuration.groups { try Privileges.check(group) }
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

    /// The controllers of which a cgroup's own directory has the files: those that are enabled for it. None in the root.
    private static func visible(in directory: String) -> Controllers {
        var visible: Controllers = []
        for (controller, file) in [
            (Controllers.memory, "memory.current"), (.pids, "pids.max"), (.cpu, "cpu.weight"),
            (.io, "io.stat"),
        ] where access("\(directory)/\(file)", F_OK) == 0 { visible.insert(controller) }
        return visible
    }

    /// Files of controllers that are there which this kernel has not; none where that cannot be seen.
    static func lacking(in directory: String) -> Set<String> {
        let visible = visible(in: directory)
        let files = Limits.optionalFiles.filter {
            visible.isSuperset(of: $0.controller) && access("\(directory)/\($0.name)", F_OK) != 0
        }
        return Set(files.map(\.name))
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
