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
    private(set) var accountsMemory = false
    /// What was found and cleared away, in words, for the log.
    private(set) var notices: [String] = []
    /// Workers of an earlier supervisor that go on under this one.
    private(set) var adopted: [Adoptee] = []

    /// What was changed, and how to give it back.
    fileprivate enum Change: Codable {
        case madeRoot(parent: String, name: String)
        case enabled(in: String, Controllers)
        /// Above our own subtree, beside those that were there then.
        case enabledAbove(in: String, Controllers, others: Set<String>)
        /// A leaf that was there before us stays, and only those we put into it come out again.
        case moved(to: String, origin: String, leafIsOurs: Bool)
        /// Another supervisor holds the cgroup above ours, and may end before us.
        case nested(in: String)
    }

    /// The groups whose directories are ours to make and remove.
    private var groups: Set<String>
    /// Where our root was made, if it is of our making.
    private let parent: String?

    /// In the order they were made; given back last first.
    private var changes: [Change] = []
    /// An earlier supervisor was killed here: what it changed is ours to give back.
    private var succeedsKilled = false
    /// Those we put into the leaf.
    private var moved: Set<Int32> = []

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

    /// Workers that an earlier supervisor left, in groups that are to go on with them.
    private func findLeft(of groups: [GroupConfiguration]) throws(SupervisorError) -> [Adoptee] {
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
    private func clearLeftovers() throws(SupervisorError) {
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

    // MARK: Marks

    /// An extended attribute, as systemd's `user.delegate`: this directory was made by a supervisor.
    private static let attribute = "user.sergeantcg"

    private static func mark(_ cgroup: borrowing Cgroup) {
        // Where it cannot be marked, the next supervisor leaves it alone.
        _ = linux_fsetxattr(cgroup.descriptor, attribute, "1", 1)
    }

    static func isMarked(_ cgroup: borrowing Cgroup) -> Bool {
        var value: UInt8 = 0
        return linux_fgetxattr(cgroup.descriptor, attribute, &value, 1) == 1
    }

    // MARK: The leaf

    /// Puts us, or everyone who is in the root with us, into the leaf: controllers cannot be enabled in a
    /// cgroup that holds processes. In a container started through a shell the shell is there too.
    private func move(onlyOurselves: Bool, from origin: String) throws(SupervisorError) {
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

    /// Moves everyone out of the leaf again and removes it, or only those we put into somebody else's.
    private func leave(_ root: String, for destination: String, leafIsOurs: Bool) throws(CgroupError) {
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

    // MARK: Controllers

    static func needed(_ configuration: Configuration) -> Controllers {
        configuration.groups.reduce(into: []) { $0.formUnion($1.controllers) }
    }

    /// In the hierarchy's real root, above our own subtree: what is missing there is missing for us.
    private func enable(in parent: String, for configuration: Configuration) throws(SupervisorError) {
        do throws(CgroupError) {
            let above = try Cgroup.open(parent)
            let wanted = Self.needed(configuration).union(.memory).intersection(try above.controllers())
            let missing = wanted.subtracting(try above.subtreeControl())
            guard !missing.isEmpty else { return }
            let others = Set(try above.children())
            do throws(CgroupError) { try above.enable(missing) } catch {
                // No limit needs it, so it is only accounting that is lost.
                guard error.errno == EBUSY, missing.isDisjoint(with: Self.needed(configuration)) else {
                    throw error
                }
                return
            }
            changes.insert(.enabledAbove(in: parent, missing, others: others), at: 0)
        } catch {
            throw Self.unusable(error)
        }
    }

    private func enableControllers(for configuration: Configuration) throws(SupervisorError) {
        let needed = Self.needed(configuration)
        let available: Controllers
        do throws(CgroupError) { available = try root.controllers() } catch { throw Self.unusable(error) }
        let missing = needed.subtracting(available)
        guard missing.isEmpty else {
            throw SupervisorError(
                .noUsableCgroup, Self.sentence(forMissing: missing, of: available, in: root.path))
        }
        do throws(CgroupError) {
            accountsMemory = available.contains(.memory)
            let wanted = needed.union(.memory).intersection(available)
            let enabling = wanted.subtracting(try root.subtreeControl())
            do throws(CgroupError) { try root.enable(enabling) } catch {
                // Somebody is in the root who cannot be moved: one of another PID namespace.
                guard error.errno == EBUSY, enabling.isDisjoint(with: needed) else { throw error }
                accountsMemory = false
                notices.append(
                    "a process that cannot be moved from here is in \(root.path): workers are supervised without "
                        + "memory accounting")
                return
            }
            let ours = succeedsKilled ? wanted : enabling
            if !ours.isEmpty { changes.append(.enabled(in: root.path, ours)) }
        } catch {
            throw Self.unusable(error)
        }
        if !accountsMemory {
            notices.append(
                "the memory controller is missing from \(root.path)/cgroup.controllers: workers are supervised "
                    + "without memory accounting")
        }
    }

    /// A kernel may have a controller without all of its files.
    ///
    /// - Throws: ``SupervisorError`` with kind `noUsableCgroup`, which names the option and the file.
    func checkFiles(for group: GroupConfiguration) throws(SupervisorError) {
        guard !group.limits.optionalFiles.isEmpty else { return }
        let directory: String
        do throws(CgroupError) { directory = try openGroup(group.name).path } catch {
            throw Self.unusable(error)
        }
        if let sentence = Self.sentence(forMissingFileOf: group.limits, in: directory) {
            throw SupervisorError(.noUsableCgroup, sentence)
        }
    }

    /// Nil where none is missing.
    static func sentence(forMissingFileOf limits: Limits, in directory: String) -> String? {
        guard
            let missing = limits.optionalFiles.first(where: { access("\(directory)/\($0.name)", F_OK) != 0 })
        else { return nil }
        return
            "--\(missing.setting.name) needs the kernel's \(missing.name), which \(directory) has not: leave the option "
            + "out, or run a kernel that was built with it"
    }

    static func sentence(
        forMissing missing: Controllers, of available: Controllers, in root: String
    ) -> String {
        let isOne = missing.rawValue.nonzeroBitCount == 1
        return
            "a limit was asked for that needs the controller\(isOne ? "" : "s") '\(missing)', which "
            + "\(isOne ? "is" : "are") missing from \(root)/cgroup.controllers (it has '\(available)'): "
            + remedyForMissingControllers
    }

    /// What a person can do where a controller is not there.
    static var remedyForMissingControllers: String {
        if access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) == 0 {
            return
                "this host gives it to cgroup v1; boot it with systemd.unified_cgroup_hierarchy=1, or run where "
                + "cgroup v2 has it"
        }
        if access("/run/systemd/system", F_OK) == 0, geteuid() != 0 {
            return
                "have root give it to this user's manager, with Delegate=cpu cpuset io memory pids in a drop-in for "
                + "user@.service, and Delegate=yes in the unit"
        }
        if access("/run/systemd/system", F_OK) == 0 {
            return
                "have it delegated, with Delegate=yes in the unit or `systemd-run --scope -p Delegate=yes …`"
        }
        return "enable it in cgroup.subtree_control of the cgroups above, or start the container with it"
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

    /// Adds to the kernel's refusal what a person can do about it.
    static func unusable(_ error: CgroupError) -> SupervisorError {
        var sentence = error.description
        switch error.errno {
        case EROFS:
            sentence +=
                "; in a container make it writable: podman run --security-opt unmask=/sys/fs/cgroup (or "
                + "--systemd=always), docker run --security-opt writable-cgroups=true"
        case EACCES where isGuestOfContainer, EPERM where isGuestOfContainer:
            sentence +=
                "; a container's cgroup is its root's: run this as that, podman run --user 0, which without root's "
                + "podman is an ordinary user outside"
        case EACCES, EPERM:
            sentence +=
                access("/run/systemd/system", F_OK) == 0
                ? "; have one delegated: systemd-run --user --scope -p Delegate=yes sergeantcg …"
                : delegation(to: geteuid())
        case EBUSY where error.path.hasSuffix("cgroup.subtree_control"):
            sentence += "; move it to another cgroup first, or start the supervisor in a cgroup of its own"
        default: break
        }
        return SupervisorError(.noUsableCgroup, sentence, errno: error.errno)
    }

    /// Not root, in a container of podman's.
    private static var isGuestOfContainer: Bool { geteuid() != 0 && access("/run/.containerenv", F_OK) == 0 }

    /// What root must do for an ordinary user, as Documentation/admin-guide/cgroup-v2.rst has it, and for the shell
    /// that we were started from.
    private static func delegation(to user: uid_t) -> String {
        guard user != 0 else { return "; have one delegated to this container or user namespace" }
        let mount: String
        do throws(CgroupError) { mount = try Mount.find().mountPoint } catch { mount = "/sys/fs/cgroup" }
        let name = "sergeantcg-user-\(user)"
        return
            "; have root make one for this user and put this shell into it: sudo sh -c 'cd \(mount) && "
            + "mkdir -p \(name) && cd \(name) && chown \(user) . cgroup.procs cgroup.threads "
            + "cgroup.subtree_control && echo \(getppid()) >cgroup.procs'"
    }
}
