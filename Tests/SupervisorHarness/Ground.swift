internal import Glibc
internal import Synchronization

/// Where supervisors under test get their cgroups.
///
/// In the hierarchy's root each gets a directory right there. Elsewhere (a guest's or a scope's cgroup that is
/// ours alone) this process, and whoever shares the cgroup with it, moves into the leaf `tests` first, since
/// a cgroup with processes cannot give controllers to its children. cpu, io, memory and pids are enabled
/// for the children where they exist.
enum Ground {
    private static let prepared = Mutex<String?>(nil)

    /// The directory in which each supervisor under test gets one of its own.
    static func directory() throws -> String {
        try prepared.withLock { prepared throws in
            if let prepared { return prepared }
            let found = try prepare()
            prepared = found
            return found
        }
    }

    private static func prepare() throws -> String {
        let mount = try Cgroupfs.mount()
        guard let own = ProcessFacts(getpid()).cgroup else {
            throw HarnessFailure("this process has no cgroup in the cgroup2 hierarchy")
        }
        var directory = mount.directory(own)
        if access("\(directory)/cgroup.events", F_OK) == 0, !directory.hasSuffix("/tests") {
            let leaf = "\(directory)/tests"
            guard mkdir(leaf, 0o755) == 0 || errno == EEXIST else {
                throw HarnessFailure("cannot make \(leaf): errno \(errno)")
            }
            for _ in 0..<100 {
                let processes = Cgroupfs.processes(in: directory)
                if processes.isEmpty { break }
                for process in processes { TextFile.write("\(process)", to: "\(leaf)/cgroup.procs") }
            }
        } else if directory.hasSuffix("/tests") {
            directory.removeLast("/tests".count)
        }
        let available = (TextFile.read("\(directory)/cgroup.controllers") ?? "").split(
            whereSeparator: \.isWhitespace)
        for controller in ["cpu", "io", "memory", "pids"] where available.contains(Substring(controller)) {
            // A controller that cannot be had for the children is missed by the test that needs it.
            TextFile.write("+\(controller)", to: "\(directory)/cgroup.subtree_control")
        }
        return directory
    }
}
