internal import CLinux
internal import Glibc
internal import Supervision

/// What starting workers otherwise than as ourselves takes, found out before the first is started.
enum Privileges {
    /// A capability's bit (capabilities(7)).
    private enum Capability: Int {
        case chown = 0
        case kill = 5
        case setGroups = 6
        case setUser = 7
        case resources = 24
    }

    /// - Throws: ``SupervisorError`` with a sentence that says what is missing, and for which group.
    static func check(_ group: GroupConfiguration) throws(SupervisorError) {
        if let user = group.user, !user.isOurs { try check(user, of: group) }
        for limit in group.resourceLimits ?? [] { try check(limit, of: group) }
        if let limit = group.limits.memoryPressure { try check(limit, of: group) }
    }

    private static func check(_ limit: PressureLimit, of group: GroupConfiguration) throws(SupervisorError) {
        guard limit.window.microseconds % 2_000_000 != 0, !has(.resources) else { return }
        throw SupervisorError(
            .cannotRun,
            "the memory pressure of group '\(group.name)' is to be measured in a window of \(limit.window), for which "
                + "this supervisor lacks CAP_SYS_RESOURCE: make it 2, 4, 6, 8 or 10 seconds")
    }

    private static func check(_ user: WorkerUser, of group: GroupConfiguration) throws(SupervisorError) {
        var needed: [(Capability, String)] = [(.setUser, "CAP_SETUID"), (.setGroups, "CAP_SETGID")]
        // Their stop signal.
        if user.user != geteuid() { needed.append((.kill, "CAP_KILL")) }
        // Their notify sockets.
        if group.notifies, user.user != geteuid() { needed.append((.chown, "CAP_CHOWN")) }
        let missing = needed.filter { !has($0.0) }.map(\.1)
        guard missing.isEmpty else {
            throw SupervisorError(
                .cannotRun,
                "the workers of group '\(group.name)' are to run as user \(user.words), for which this supervisor "
                    + "lacks \(missing.joined(separator: ", ")): run it as root, or leave --user out")
        }
        guard group.notifies, let closed = Reach.obstacle(to: NotifyDirectory.parent, for: user) else {
            return
        }
        throw SupervisorError(
            .cannotRun,
            "the workers of group '\(group.name)' could not reach their notify sockets: user \(user.words) may not "
                + "search \(closed): set RuntimeDirectoryMode=0711 in the unit, or chmod a+x \(closed)")
    }

    private static func check(_ limit: ResourceLimit, of group: GroupConfiguration) throws(SupervisorError) {
        let name = limit.resource.rawValue
        if limit.resource == .nofile, let most = mostOpenFiles, limit.hard > most {
            throw SupervisorError(
                .cannotRun,
                "the resource limit nofile of group '\(group.name)' is to be \(ResourceLimit.words(limit.hard)), and the "
                    + "kernel takes at most \(most): that is fs.nr_open, which sysctl raises")
        }
        var own = rlimit()
        let resource = __rlimit_resource_t(UInt32(limit.resource.number))
        guard getrlimit(resource, &own) == 0, limit.hard > UInt64(own.rlim_max), !has(.resources) else {
            return
        }
        throw SupervisorError(
            .cannotRun,
            "the resource limit \(name) of group '\(group.name)' is to be \(ResourceLimit.words(limit.hard)), above the "
                + "supervisor's own \(ResourceLimit.words(UInt64(own.rlim_max))), for which it lacks CAP_SYS_RESOURCE: "
                + "lower it, or set Limit\(name.uppercased())= in the unit")
    }

    private static var mostOpenFiles: UInt64? {
        guard let bytes = try? BoundedFile.read("/proc/sys/fs/nr_open") else { return nil }
        return UInt64(String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace })
    }

    /// Among those in effect; where that cannot be seen, root has all.
    private static func has(_ capability: Capability) -> Bool {
        guard let bytes = try? BoundedFile.read("/proc/self/status"),
            let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first(where: {
                $0.hasPrefix("CapEff:")
            }), let mask = UInt64(line.dropFirst("CapEff:".count).filter { !$0.isWhitespace }, radix: 16)
        else { return geteuid() == 0 }
        return mask >> UInt64(capability.rawValue) & 1 == 1
    }
}

extension WorkerUser {
    /// Nothing need be changed, and an ordinary user could change nothing; for root it is changed whatever it is.
    var isOurs: Bool {
        guard user != 0, user == geteuid(), user == getuid(), group == getegid(), group == getgid() else {
            return false
        }
        let count = getgroups(0, nil)
        guard count >= 0 else { return false }
        var own = [gid_t](repeating: 0, count: Int(count))
        guard getgroups(count, &own) == count else { return false }
        return Set(own).union([group]) == Set(groups).union([group])
    }
}

/// Whether another user comes to a place.
enum Reach {
    /// The first directory on the way that the user may not search; nil where it may search all.
    static func obstacle(to directory: String, for user: WorkerUser) -> String? {
        guard user.user != 0 else { return nil }
        var place = ""
        for part in [""] + directory.split(separator: "/").map(String.init) {
            if !part.isEmpty { place += "/" + part }
            var status = stat()
            guard stat(place.isEmpty ? "/" : place, &status) == 0 else { return nil }
            let bit: UInt32 =
                if status.st_uid == user.user {
                    0o100
                } else if status.st_gid == user.group
                    || user.groups.contains(status.st_gid)
                { 0o010 } else { 0o001 }
            if status.st_mode & bit == 0 { return place.isEmpty ? "/" : place }
        }
        return nil
    }
}
