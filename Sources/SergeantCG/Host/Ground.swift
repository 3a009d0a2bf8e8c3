internal import CLinux
internal import CgroupKit
internal import Glibc

/// Which directory becomes a supervisor's root, found before anything is changed.
struct Ground {
    /// The root's absolute directory.
    var directory: String
    /// Its path within the hierarchy.
    var place: String
    /// Where we are now, to go back to.
    var origin: String
    /// The root is a directory of our own making, beneath ``parent``.
    var parent: String?
    var name = ""
    var movesProcesses: Bool

    var isOwn: Bool { parent != nil }

    /// - Parameter asksSystemd: where a scope is needed, have it made and enter it: the one thing here that changes any.
    ///   Else it is said where it would be.
    init(_ configuration: Configuration, asksSystemd: Bool) throws(SupervisorError) {
        let mount: Mount
        do throws(CgroupError) { mount = try Mount.find() } catch {
            throw Subtree.unusable(error)
        }
        let own: String?
        do throws(CgroupError) {
            own = mount.directory(of: try OwnPlace.find())
        } catch {
            throw Subtree.unusable(error)
        }
        origin = own ?? mount.mountPoint
        switch configuration.place {
        case .path(let path):
            movesProcesses = false
            let isAbsolute = path == mount.mountPoint || path.hasPrefix(mount.mountPoint + "/")
            let beneath = PathText.components(
                of: isAbsolute ? path.dropFirst(mount.mountPoint.count) : path[...])
            directory = ([mount.mountPoint] + beneath.filter { $0 != "." }).joined(separator: "/")
            place = Self.place(of: directory, in: mount)
            if access(directory, F_OK) != 0 {
                let parts = PathText.components(of: directory)
                name = parts.last ?? ""
                parent = "/" + parts.dropLast().joined(separator: "/")
            }
        case .own(let moves):
            guard let own else {
                throw SupervisorError(
                    .noUsableCgroup,
                    "our own cgroup is not visible under \(mount.mountPoint): mount cgroup2 in this namespace, or name "
                        + "a cgroup with --cgroup PATH")
            }
            movesProcesses = moves
            directory = own
            place = Self.place(of: own, in: mount)
            try settle(in: mount, configuration, asksSystemd: asksSystemd)
        }
    }

    private mutating func settle(
        in mount: Mount, _ configuration: Configuration, asksSystemd: Bool
    ) throws(SupervisorError) {
        do throws(CgroupError) {
            // Started from a shell that an earlier supervisor moved, or by systemd with DelegateSubgroup=supervisor.
            let leaf = "/" + Subtree.supervisorLeaf
            let above = String(directory.dropLast(leaf.count))
            if directory.hasSuffix(leaf), above.utf8.count >= mount.mountPoint.utf8.count,
                // Any other cgroup of that name is somebody else's, and so is what is above it.
                try Subtree.isMarked(Cgroup.open(directory)) || Self.isDelegated(above)
                    || Self.isOwnUnit(above)
            {
                directory = above
                place = Self.place(of: directory, in: mount)
            }
            if try Cgroup.open(directory).isHierarchyRoot {
                return nest(as: configuration.name)
            }
        } catch {
            throw Subtree.unusable(error)
        }
        guard movesProcesses, access("/run/systemd/system", F_OK) == 0, directory != mount.mountPoint,
            !Self.isUsable(directory)
        else { return }
        let trouble = "the cgroup \(directory) belongs to systemd and is not delegated"
        if Self.isInService(directory) {
            throw SupervisorError(.noUsableCgroup, "\(trouble): set Delegate=yes in the unit")
        }
        let remedy =
            "run it as: systemd-run \(geteuid() == 0 ? "" : "--user ")--scope -p Delegate=yes sergeantcg …"
        guard configuration.delegation == .auto else {
            throw SupervisorError(.noUsableCgroup, "\(trouble): leave out --delegate never, or \(remedy)")
        }
        guard asksSystemd else {
            guard foreseeScope(of: configuration.name, in: mount) else {
                throw SupervisorError(
                    .noUsableCgroup,
                    "\(trouble), and no manager of this user's runs who could be asked for one: log in anew, have root "
                        + "type loginctl enable-linger, or \(remedy)")
            }
            return
        }
        do throws(TransientScope.Fault) { try TransientScope.enter(instance: configuration.name) } catch {
            let login = geteuid() == 0 ? "" : "log in anew, have root type loginctl enable-linger, or "
            throw SupervisorError(
                .noUsableCgroup,
                "\(trouble), and no scope could be had: \(error.description); \(login)\(remedy)")
        }
        try enterOwn(in: mount)
    }

    /// Where the scope would be made: in the slice into which its manager puts one (systemd.special(7)).
    ///
    /// - Returns: false where there is no such manager.
    private mutating func foreseeScope(of instance: String, in mount: Mount) -> Bool {
        let user = geteuid()
        let manager = "\(mount.mountPoint)/user.slice/user-\(user).slice/user@\(user).service"
        let slices =
            user == 0 ? ["\(mount.mountPoint)/system.slice"] : ["\(manager)/app.slice", manager]
        guard let slice = slices.first(where: { access($0, F_OK) == 0 }) else { return false }
        name = TransientScope.unitName(instance: instance, process: getpid())
        parent = slice
        directory = "\(slice)/\(name)"
        place = Self.place(of: directory, in: mount)
        return true
    }

    /// systemd has moved us.
    private mutating func enterOwn(in mount: Mount) throws(SupervisorError) {
        let own: String?
        do throws(CgroupError) { own = mount.directory(of: try OwnPlace.find()) } catch {
            throw Subtree.unusable(error)
        }
        guard let own, own.hasSuffix(".scope") else {
            throw SupervisorError(
                .noUsableCgroup, "systemd made a scope for us, but we are in \(own ?? "no visible cgroup")")
        }
        directory = own
        origin = own
        place = Self.place(of: own, in: mount)
    }

    /// An ordinary user owns what the user's manager delegates, and what it does not: before systemd 252 without a mark.
    /// A scope without one, as a desktop's terminal has, is shared with a shell and more that is not ours to move.
    private static func isUsable(_ directory: String) -> Bool {
        if isDelegated(directory) { return true }
        guard geteuid() != 0, !directory.hasSuffix(".scope") else { return false }
        return ["", "/cgroup.procs", "/cgroup.subtree_control"].allSatisfy {
            access(directory + $0, W_OK) == 0
        }
    }

    /// The innermost unit is a service, whose author says what is delegated: we do not slip out of it.
    private static func isInService(_ directory: String) -> Bool {
        let unit = directory.split(separator: "/").last { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }
        return unit?.hasSuffix(".service") ?? false
    }

    /// Takes a directory of our own beneath the one found, named for the instance.
    mutating func nest(as instance: String) {
        name = Subtree.instancePrefix + instance
        parent = directory
        directory += "/\(name)"
        place = (place == "/" ? "" : place) + "/\(name)"
    }

    /// systemd marks what it delegates (CGROUP_DELEGATION).
    static func isDelegated(_ directory: String) -> Bool {
        for name in ["trusted.delegate", "user.delegate"] {
            var value: UInt8 = 0
            if linux_getxattr(directory, name, &value, 1) == 1, value == UInt8(ascii: "1") { return true }
        }
        return false
    }

    /// A user's own manager cannot set that mark, but its units' cgroups are the user's.
    private static func isOwnUnit(_ directory: String) -> Bool {
        var status = stat()
        return geteuid() != 0 && (directory.hasSuffix(".service") || directory.hasSuffix(".scope"))
            && stat(directory, &status) == 0 && status.st_uid == geteuid()
    }

    private static func place(of directory: String, in mount: Mount) -> String {
        let beneath = directory.dropFirst(mount.mountPoint.count)
        let shown = mount.root == "/" ? "" : mount.root
        return beneath.isEmpty && shown.isEmpty ? "/" : shown + beneath
    }
}
