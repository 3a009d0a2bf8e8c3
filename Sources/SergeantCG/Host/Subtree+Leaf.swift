internal import CgroupKit
internal import Glibc

/// The cgroup of the supervisor itself.
extension Subtree {
    /// Puts us, or everyone who is in the root with us, into the leaf: controllers cannot be enabled in a
    /// cgroup that holds processes. In a container started through a shell the shell is there too.
    func move(onlyOurselves: Bool, from origin: String) throws(SupervisorError) {
        do throws(CgroupError) {
            let leaf: Cgroup
            var leafIsOurs = true
            do throws(CgroupError) {
                leaf = try root.makeChild(Self.supervisorLeaf)
                Self.mark(leaf)
            } catch {
                guard error.errno == EEXIST else { throw error }
                leaf = try root.openChild(Self.supervisorLeaf)
                leafIsOurs = Self.isMarked(leaf)
                succeedsKilled = leafIsOurs
            }
            changes.append(
                .moved(to: root.path, origin: onlyOurselves ? origin : root.path, leafIsOurs: leafIsOurs))
            if onlyOurselves {
                try leaf.move(process: getpid())
                moved.insert(getpid())
                return
            }
            for _ in 0..<100 {
                let processes = try root.processes()
                if processes.isEmpty { return }
                for process in processes where process > 0 {
                    do throws(CgroupError) {
                        try leaf.move(process: process)
                        moved.insert(process)
                    } catch {
                        // It ended meanwhile.
                        guard error.errno == ESRCH else { throw error }
                    }
                }
            }
        } catch {
            throw Self.unusable(error)
        }
    }

    /// Far more than a supervisor of a thousand workers uses: its program's pages too stay in memory when all else is
    /// reclaimed, so that it can act then.
    private static let protectedMemory: UInt64 = 32 << 20

    /// Has reclaim spare the leaf (`memory.min`), unless somebody has decided on that.
    func protectLeaf() {
        do throws(CgroupError) {
            let leaf = try root.openChild(Self.supervisorLeaf)
            guard try leaf.memoryMin() == .bytes(0) else { return }
            try leaf.setMemoryMin(.bytes(Self.protectedMemory))
            changes.append(.protected(leafIn: root.path))
        } catch {
            notices.append("the supervisor's own memory is not protected: \(error.description)")
        }
    }

    /// A leaf of somebody else's stays.
    func unprotectLeaf(in directory: String) throws(CgroupError) {
        do throws(CgroupError) {
            try Cgroup.open(directory).openChild(Self.supervisorLeaf).setMemoryMin(.bytes(0))
        } catch {
            // The controller was taken away, and the protection with it.
            guard error.errno == ENOENT else { throw error }
        }
    }

    /// Moves everyone out of the leaf again and removes it, or only those we put into somebody else's.
    func leave(_ root: String, for destination: String, leafIsOurs: Bool) throws(CgroupError) {
        let root = try Cgroup.open(root)
        let target: Cgroup
        do throws(CgroupError) { target = try Cgroup.open(destination) } catch {
            // The leaf of the supervisor above, which has ended since.
            guard error.errno == ENOENT, let parent else { throw error }
            target = try Cgroup.open(parent)
        }
        let leaf = try root.openChild(Self.supervisorLeaf)
        for process in try leaf.processes() where leafIsOurs || moved.contains(process) {
            do throws(CgroupError) { try target.move(process: process) } catch {
                // An instance beside us still needs the controllers: the last one moves us back.
                if error.errno == EBUSY, leafIsOurs { return }
                guard error.errno == ESRCH else { throw error }
            }
        }
        if leafIsOurs { try root.removeChild(Self.supervisorLeaf) }
    }
}
