internal import Supervision

extension Configuration {
    /// The smallest limit under which a process can start (below 192 KB it is killed at exec, kernel 6.12).
    private static let leastMemory: UInt64 = 1 << 20

    /// The largest `pids.max` that the kernel takes as a number (PID_MAX_LIMIT on 64 bits).
    private static let mostProcesses: UInt64 = 4 << 20

    /// What is wrong with the configuration, as one sentence; nil where nothing is.
    package var fault: String? {
        if groups.isEmpty { return "there is no group of workers to run" }
        if name.isEmpty || name.contains("/") || name == "." || name == ".." || name.utf8.count > 200 {
            return "the name '\(name)' cannot be a directory's name"
        }
        if case .path(let path) = place {
            if path.isEmpty { return "the path of the cgroup is empty" }
            if path.utf8.contains(0) || path.split(separator: "/").contains("..") {
                return "the path of the cgroup '\(path)' must lead down from the cgroup2 mount, without '..'"
            }
        }
        var names = Set<String>()
        for group in groups {
            if group.name.isEmpty || group.name.contains("/") || group.name.hasPrefix(".")
                || group.name.utf8.count > 200
            {
                return "the group name '\(group.name)' cannot be a directory's name"
            }
            if group.name == Subtree.supervisorLeaf {
                return "the group name '\(group.name)' is taken by the supervisor's own cgroup"
            }
            if !names.insert(group.name).inserted { return "two groups are called '\(group.name)'" }
            if let fault = fault(of: group) { return fault }
        }
        return nil
    }

    private func fault(of group: GroupConfiguration) -> String? {
        if group.workers < 1 {
            return "--concurrent-workers is \(group.workers): at least 1 is needed"
        }
        switch group.program {
        case .command(let words):
            guard let first = words.first, !first.isEmpty else {
                return "the command of group '\(group.name)' is empty: name a program"
            }
            if words.contains(where: { $0.utf8.contains(0) }) {
                return "the command of group '\(group.name)' holds a NUL byte"
            }
        case .sergeant(let module, let name, let python):
            if module.isEmpty || name.isEmpty || python.isEmpty {
                return "the group '\(group.name)' needs a worker module, a worker class and a Python"
            }
        }
        for (index, address) in group.listen.enumerated() {
            if !ListenAddress.isName(address.name) {
                return
                    "the socket name '\(address.name)' cannot be one: it takes up to 255 printable ASCII characters "
                    + "without ':'"
            }
            if group.listen[..<index].contains(where: { $0.description == address.description }) {
                return "the group '\(group.name)' is to listen at \(address) twice"
            }
        }
        let limits = group.limits
        let named = [
            ("--max-worker-memory-usage", limits.memoryThreshold), ("--memory-max", limits.memoryMax),
        ]
        for case (let option, let bytes?) in named where bytes < Self.leastMemory {
            return
                "\(option) is \(bytes) bytes: no process can start in less than 1M (0 switches the limit off)"
        }
        if let threshold = limits.memoryThreshold, let hard = limits.memoryMax, threshold >= hard {
            return
                "--max-worker-memory-usage (\(threshold) bytes) must be below --memory-max (\(hard) bytes), "
                + "else the kernel kills a worker before it can be recycled"
        }
        if let count = limits.pidsMax, count > Self.mostProcesses {
            return
                "--pids-max is \(count): the kernel takes at most \(Self.mostProcesses) (0 switches the limit off)"
        }
        if limits.pidsMax == 0 { return "--pids-max is 0: no worker could be started" }
        if group.backOffInitial > group.backOffMaximum {
            return
                "--backoff-initial (\(group.backOffInitial)) is above --backoff-max (\(group.backOffMaximum)): "
                + "raise the latter too"
        }
        if group.stopSignal < 1 || group.stopSignal > 64 {
            return "the stop signal \(group.stopSignal) is no signal"
        }
        return nil
    }
}
