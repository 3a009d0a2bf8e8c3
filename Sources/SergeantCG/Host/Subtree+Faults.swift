internal import CgroupKit
internal import Glibc

/// Why a place is of no use, and what a person can do about it.
extension Subtree {
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
