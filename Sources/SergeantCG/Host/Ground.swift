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

    init(_ configuration: Configuration) throws(SupervisorError) {
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
            let beneath = (isAbsolute ? path.dropFirst(mount.mountPoint.count) : path[...]).split(
                separator: "/")
            directory = ([mount.mountPoint] + beneath.filter { $0 != "." }.map(String.init)).joined(
                separator: "/")
            place = Self.place(of: directory, in: mount)
            if access(directory, F_OK) != 0 {
                let parts = directory.split(separator: "/")
                name = parts.last.map(String.init) ?? ""
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
            try settle(in: mount, name: configuration.name)
        }
    }

    private mutating func settle(in mount: Mount, name instance: String) throws(SupervisorError) {
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
                return nest(as: instance)
            }
        } catch {
            throw Subtree.unusable(error)
        }
        guard movesProcesses, geteuid() == 0, access("/run/systemd/system", F_OK) == 0,
            directory != mount.mountPoint, !Self.isDelegated(directory)
        else { return }
        throw SupervisorError(
            .noUsableCgroup,
            "the cgroup \(directory) belongs to systemd and is not delegated: set Delegate=yes in the unit, or run "
                + "it as: systemd-run --scope -p Delegate=yes sergeantcg …")
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
