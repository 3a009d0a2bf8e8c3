internal import CLinux
internal import CgroupKit
internal import Glibc

/// The part of the hierarchy that is this supervisor's own: found, locked, cleared of what an earlier one
/// left, and given back in the end.
///
/// `<root>/supervisor` holds the supervisor, `<root>/<group>/<slot>.<incarnation>` one worker each.
final class Subtree {
    static let supervisorLeaf = "supervisor"
    /// What an instance's directory is called that stands beside others, before its name.
    static let instancePrefix = "sergeantcg-"

    /// The root's path within the hierarchy, as `/proc/self/cgroup` writes it.
    let place: String
    let root: Cgroup
    /// The memory controller is there, so workers are accounted.
    var accountsMemory = false
    /// What was found and cleared away, in words, for the log.
    var notices: [String] = []
    /// Workers of an earlier supervisor that go on under this one.
    private(set) var adopted: [Adoptee] = []

    /// What was changed, and how to give it back.
    enum Change: Codable {
        case madeRoot(parent: String, name: String)
        case enabled(in: String, Controllers)
        /// Above our own subtree, beside those that were there then.
        case enabledAbove(in: String, Controllers, others: Set<String>)
        /// A leaf that was there before us stays, and only those we put into it come out again.
        case moved(to: String, origin: String, leafIsOurs: Bool)
        /// What reclaim never takes from the leaf.
        case protected(leafIn: String)
        /// Another supervisor holds the cgroup above ours, and may end before us.
        case nested(in: String)
    }

    /// The groups whose directories are ours to make and remove.
    private var groups: Set<String>
    /// Where our root was made, if it is of our making.
    let parent: String?

    /// In the order they were made; given back last first.
    var changes: [Change] = []
    /// An earlier supervisor was killed here: what it changed is ours to give back.
    var succeedsKilled = false
    /// Those we put into the leaf.
    var moved: Set<Int32> = []

    /// - Parameter passed: what systemd passed; the workers in it that run here are taken out, and live on.
    /// - Throws: ``SupervisorError`` with kind `noUsableCgroup` and the sentence that says what to do.
    init(_ configuration: Configuration, _ passed: inout PassedDescriptors) throws(SupervisorError) {
        try Self.checkKernel()
        var ground = try Ground(configuration, asksSystemd: true)
        var found = try Self.makeOrOpen(ground)
        var above: String?
        if ground.movesProcesses, !ground.isOwn, configuration.name != Configuration.defaultName,
            try Self.isHeld(found)
        {
            above = ground.directory
            ground.nest(as: configuration.name)
            found = try Self.makeOrOpen(ground)
        }
        groups = Set(configuration.groups.map(\.name))
        place = ground.place
        parent = ground.parent
        root = found
        // Before it is locked it may be another's: nothing in it is ours to give back.
        try lock(name: configuration.name)
        if let above { changes.append(.nested(in: above)) }
        adopted = StoredWorker.find(&passed, of: configuration.groups, root: place == "/" ? "" : place)
        do throws(SupervisorError) {
            adopted += try findLeft(of: configuration.groups)
            if let parent = ground.parent {
                changes.append(.madeRoot(parent: parent, name: ground.name))
                try enable(in: parent, for: configuration)
            }
            try clearLeftovers()
            if ground.movesProcesses { try move(onlyOurselves: ground.isOwn, from: ground.origin) }
            try enableControllers(for: configuration)
            if ground.movesProcesses, accountsMemory { protectLeaf() }
        } catch {
            _ = giveBack()
            throw error
        }
    }

    /// Makes room for groups that came with another configuration, and enables the controllers they need.
    func extend(to configuration: Configuration) throws(SupervisorError) {
        let known = groups
        groups.formUnion(configuration.groups.map(\.name))
        try enableControllers(for: configuration)
        do throws(CgroupError) {
            let enabled = try root.subtreeControl()
            for name in try root.children() where known.contains(name) {
                let group = try root.openChild(name)
                try group.enable(enabled.subtracting(try group.subtreeControl()))
            }
        } catch {
            throw Self.unusable(error)
        }
    }

    /// The root's inode, which no other supervisor's root has at the same time.
    var number: UInt64 {
        var status = stat()
        // Cannot fail for an open descriptor with a valid pointer.
        _ = fstat(root.descriptor, &status)
        return UInt64(status.st_ino)
    }

    /// All that must be known of it to go on with it, and to give it back, in another image of this program.
    struct Memory: Codable {
        var root: Int32
        fileprivate var place: String
        fileprivate var path: String
        fileprivate var parent: String?
        fileprivate var groups: Set<String>
        fileprivate var accountsMemory: Bool
        fileprivate var changes: [Change]
        fileprivate var succeedsKilled: Bool
        fileprivate var moved: Set<Int32>
    }

    var memory: Memory {
        Memory(
            root: root.descriptor, place: place, path: root.path, parent: parent, groups: groups,
            accountsMemory: accountsMemory, changes: changes, succeedsKilled: succeedsKilled, moved: moved)
    }

    /// Takes up what another image of this program had: it is ours, locked and prepared.
    init(_ memory: Memory) {
        root = Cgroup(path: memory.path, adopting: memory.root)
        place = memory.place
        parent = memory.parent
        groups = memory.groups
        accountsMemory = memory.accountsMemory
        changes = memory.changes
        succeedsKilled = memory.succeedsKilled
        moved = memory.moved
    }

    /// A group's directory, made or found, with its controllers enabled for the workers.
    func openGroup(_ name: String) throws(CgroupError) -> Cgroup {
        let group: Cgroup
        do throws(CgroupError) {
            group = try root.makeChild(name)
            Self.mark(group)
        } catch {
            guard error.errno == EEXIST else { throw error }
            group = try root.openChild(name)
        }
        let inherited = try root.subtreeControl()
        try group.enable(inherited.subtracting(try group.subtreeControl()))
        return group
    }

    /// Kills every worker, for a supervisor that cannot go on; what cannot be killed is found when it is removed.
    func killWorkers() {
        do throws(CgroupError) {
            for child in try root.children() where groups.contains(child) {
                let group = try root.openChild(child)
                try group.kill()
                try group.waitUntilEmpty(timeoutMicroseconds: 5_000_000)
            }
        } catch {
            // The removal that follows meets the same, and says so.
        }
    }

    /// Removes what was made and gives back what was changed.
    ///
    /// - Returns: what could not be, a sentence each.
    func giveBack() -> [String] {
        var faults: [String] = []
        do throws(CgroupError) {
            for child in try root.children() where groups.contains(child) {
                do throws(CgroupError) { try root.removeChild(child) } catch {
                    faults.append(error.description)
                }
            }
        } catch {
            faults.append(error.description)
        }
        while let change = changes.popLast() {
            do throws(CgroupError) { try undo(change) } catch { faults.append(error.description) }
        }
        return faults
    }

    private func undo(_ change: Change) throws(CgroupError) {
        switch change {
        case .madeRoot(let parent, let name): try Cgroup.open(parent).removeChild(name)
        case .enabled(let directory, let controllers):
            do throws(CgroupError) { try Cgroup.open(directory).disable(controllers) } catch {
                // Somebody else has come to use it meanwhile: it is theirs now.
                guard error.errno == EBUSY else { throw error }
            }
        case .enabledAbove(let directory, let controllers, let others):
            // Whoever came since may have set limits of its own, which would go with the controller.
            if try others.isSuperset(of: Cgroup.open(directory).children()) {
                try undo(.enabled(in: directory, controllers))
            }
        case .moved(let root, let origin, let leafIsOurs):
            try leave(root, for: origin, leafIsOurs: leafIsOurs)
        case .protected(let root): try unprotectLeaf(in: root)
        case .nested(let directory): try giveBackAbove(directory)
        }
    }

    /// The supervisor above may have ended before us, and had to leave what we still needed.
    private func giveBackAbove(_ directory: String) throws(CgroupError) {
        let above = try Cgroup.open(directory)
        guard case .acquired = try above.lock(), try above.children() == [Self.supervisorLeaf],
            try Self.isMarked(above.openChild(Self.supervisorLeaf))
        else { return }
        // It held processes once, so no controllers were enabled in it.
        try above.disable(try above.subtreeControl())
        try leave(directory, for: directory, leafIsOurs: true)
    }

    // MARK: Taking possession

    private static func isHeld(_ cgroup: borrowing Cgroup) throws(SupervisorError) -> Bool {
        do throws(CgroupError) {
            if case .heldBy = try cgroup.lock() { return true } else { return false }
        } catch {
            throw unusable(error)
        }
    }

    private func lock(name: String) throws(SupervisorError) {
        let outcome: LockOutcome
        do throws(CgroupError) { outcome = try root.lock() } catch { throw Self.unusable(error) }
        guard case .heldBy(let pid) = outcome else { return }
        let who = pid.map { "a supervisor with PID \($0)" } ?? "another supervisor"
        throw SupervisorError(
            .noUsableCgroup,
            "\(who) already runs in the cgroup \(root.path): stop it, or give this one a place of its own with "
                + "--name NAME or --cgroup PATH")
    }

    // MARK: Faults

    static var kernelRelease: String? {
        var name = utsname()
        guard uname(&name) == 0 else { return nil }
        return withUnsafeBytes(of: name.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    static func checkKernel() throws(SupervisorError) {
        guard let release = kernelRelease else { return }
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) < (5, 19) else { return }
        throw SupervisorError(
            .noUsableCgroup, "Linux 5.19 or later is needed (memory.peak); this is \(release)")
    }

    static func checkParent(_ ground: Ground) throws(SupervisorError) {
        guard let above = ground.parent, access(above, F_OK) != 0, errno == ENOENT else { return }
        throw SupervisorError(
            .noUsableCgroup,
            "cannot make the cgroup \(ground.directory), for there is no \(above): make that first, with mkdir -p"
        )
    }

    private static func makeOrOpen(_ ground: Ground) throws(SupervisorError) -> Cgroup {
        try checkParent(ground)
        do throws(CgroupError) {
            guard let above = ground.parent else { return try Cgroup.open(ground.directory) }
            let parent = try Cgroup.open(above)
            do throws(CgroupError) {
                let made = try parent.makeChild(ground.name)
                mark(made)
                return made
            } catch {
                guard error.errno == EEXIST else { throw error }
                return try parent.openChild(ground.name)
            }
        } catch {
            throw unusable(error)
        }
    }

    // MARK: Marks

    /// An extended attribute, as systemd's `user.delegate`: this directory was made by a supervisor.
    private static let attribute = "user.sergeantcg"

    static func mark(_ cgroup: borrowing Cgroup) {
        // Where it cannot be marked, the next supervisor leaves it alone.
        _ = linux_fsetxattr(cgroup.descriptor, attribute, "1", 1)
    }

    static func isMarked(_ cgroup: borrowing Cgroup) -> Bool {
        var value: UInt8 = 0
        return linux_fgetxattr(cgroup.descriptor, attribute, &value, 1) == 1
    }
}
