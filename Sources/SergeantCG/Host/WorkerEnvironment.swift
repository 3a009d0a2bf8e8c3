internal import Glibc
package import Supervision

/// What a worker finds in its environment: what the supervisor was given, less what was meant for the
/// supervisor alone, and the worker's own place in the pool.
package enum WorkerEnvironment {
    /// systemd's messages to the supervisor, and names that only a supervisor may set.
    package static let withheld: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
        "LISTEN_PIDFDID", "FDSTORE", "MAINPID", "MANAGERPID", "SERGEANT_WORKER", "SERGEANT_SLOT",
        "SERGEANT_INCARNATION", "SERGEANT_MEMORY_LIMIT", UpgradeArrival.variable,
        // systemd's too: of its own main process, and of the whole service's cgroup.
        "MANAGERPIDFDID", "MAINPIDFDID", "SYSTEMD_EXEC_PID", "PIDFILE", "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
    ]

    /// How variables may be written in a file.
    package static let spelling: Spelling = {
        let refused = withheld.sorted().joined(separator: "|")
        return .named([Spelling.Name(pattern: "(?!(?:\(refused))$)[^=]+", value: .text())])
    }()

    /// What belongs to the supervisor's user, and says nothing to another: its home and its login.
    private static let ofAUser: Set<String> = [
        "HOME", "USER", "LOGNAME", "SHELL", "MAIL", "XDG_RUNTIME_DIR", "XDG_SESSION_ID", "XDG_SESSION_TYPE",
        "XDG_SESSION_CLASS", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME",
        "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_CONNECTION",
        "SSH_CLIENT", "SSH_TTY", "XAUTHORITY", "SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_COMMAND",
    ]

    /// As systemd sets them for `User=`.
    private static func variables(of user: WorkerUser) -> [(name: String, value: String)] {
        [("HOME", user.home), ("USER", user.name), ("LOGNAME", user.name), ("SHELL", user.shell)].compactMap {
            name, value in value.map { (name, $0) }
        }
    }

    /// What we were given ourselves, each as `NAME=value`.
    static var ours: [String] {
        var result: [String] = []
        var place = environ
        while let entry = place.pointee {
            let text = String(cString: entry)
            place += 1
            // execve(2) takes any string; one without a name is no variable.
            if text.contains("=") { result.append(text) }
        }
        return result
    }

    /// The strings that are the same for every worker of a group.
    ///
    /// - Parameter sockets: the names of those it is handed.
    package static func shared(_ group: GroupConfiguration, sockets: [String] = []) -> [String] {
        var result: [String] = []
        for text in ours {
            let name = String(text.prefix { $0 != "=" })
            // It names what they do not write to.
            if name == "JOURNAL_STREAM", group.output != .inherit { continue }
            if group.user != nil, ofAUser.contains(name) { continue }
            if !withheld.contains(name), group.environment[name] == nil { result.append(text) }
        }
        for variable in group.user.map(variables(of:)) ?? [] where group.environment[variable.name] == nil {
            result.append("\(variable.name)=\(variable.value)")
        }
        for (name, value) in group.environment.sorted(by: { $0.key < $1.key }) {
            result.append("\(name)=\(value)")
        }
        if let limit = group.limits.memoryThreshold ?? group.limits.memoryMax {
            result.append("SERGEANT_MEMORY_LIMIT=\(limit)")
        }
        if let watchdog = group.watchdog { result.append("WATCHDOG_USEC=\(watchdog.microseconds)") }
        if !sockets.isEmpty {
            result.append("LISTEN_FDS=\(sockets.count)")
            result.append("LISTEN_FDNAMES=\(sockets.joined(separator: ":"))")
        }
        return result
    }

    /// The strings that differ from one incarnation to the next.
    package static func own(_ id: IncarnationID, names: Names, notifySocket: String?) -> [String] {
        var result = [
            "SERGEANT_WORKER=\(names.worker(id.slot))", "SERGEANT_SLOT=\(id.slot.slot)",
            "SERGEANT_INCARNATION=\(id.number)",
        ]
        if let notifySocket { result.append("NOTIFY_SOCKET=\(notifySocket)") }
        return result
    }
}
