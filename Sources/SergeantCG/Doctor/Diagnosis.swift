/// What the facts of a place mean for a configuration.
package struct Diagnosis: Sendable {
    /// A limit, and whether the kernel would enforce it here.
    package struct Verdict: Hashable, Sendable {
        /// The option's word.
        package var option: String
        package var kernelFile: String
        package var isEnforced: Bool
        /// The groups that ask for it.
        package var groups: [String]
    }

    package let facts: PlaceFacts
    package let verdicts: [Verdict]
    /// What to change, a sentence each; the first is what a start would say.
    package let advice: [String]
    /// A supervisor could start here and all limits that the configuration asks for would be enforced.
    package var isEnforceable: Bool { facts.obstacle == nil }

    package init(_ facts: PlaceFacts, for configuration: Configuration) {
        self.facts = facts
        let isReachable = facts.isWritable && facts.root != nil
        func groups(_ asks: (GroupConfiguration) -> Bool) -> [String] {
            configuration.groups.filter(asks).map(\.name)
        }
        func verdict(
            _ setting: Setting, _ file: String, _ asks: (GroupConfiguration) -> Bool,
            unless isOff: Bool = false
        ) -> Verdict {
            // A file is named for its controller.
            let controller = String(file.prefix { $0 != "." })
            return Verdict(
                option: setting.name, kernelFile: file,
                isEnforced: isReachable && facts.controllers.contains(controller) && !isOff
                    && !facts.lackingFiles.contains(file),
                groups: groups(asks))
        }
        verdicts = [
            verdict(.maxWorkerMemoryUsage, "memory.high", { $0.limits.memoryThreshold != nil }),
            verdict(.memoryMax, "memory.max", { $0.limits.memoryMax != nil }),
            verdict(
                .swapMax, "memory.swap.max", { $0.limits.swapMax != nil }, unless: facts.accountsSwap == false
            ),
            verdict(.groupMemoryMax, "memory.max", { $0.groupMemoryMax != nil }),
            verdict(.zswapMax, "memory.zswap.max", { $0.limits.zswapMax != nil }),
            verdict(.memoryPressure, "memory.pressure", { $0.limits.memoryPressure != nil }),
            verdict(.pidsMax, "pids.max", { $0.limits.pidsMax != nil }),
            verdict(.cpuMax, "cpu.max", { $0.limits.cpuMax != nil }),
            verdict(.cpuWeight, "cpu.weight", { $0.limits.cpuWeight != nil }),
            verdict(.ioWeight, "io.weight", { $0.limits.ioWeight != nil }),
            verdict(.ioMax, "io.max", { $0.limits.ioMax != nil }),
        ]
        var advice: [String] = []
        if let obstacle = facts.obstacle { advice.append(obstacle) }
        if let root = facts.root, facts.obstacle == nil {
            let missing = ["cpu", "io", "memory", "pids"].filter { !facts.controllers.contains($0) }
            if !missing.isEmpty {
                let isOne = missing.count == 1
                advice.append(
                    "the controller\(isOne ? "" : "s") '\(missing.joined(separator: " "))' \(isOne ? "is" : "are") missing "
                        + "from \(root)/cgroup.controllers (it has '\(facts.controllers.joined(separator: " "))'), so "
                        + "\(isOne ? "its" : "their") limits cannot be had: \(facts.remedy)")
            }
        }
        if facts.accountsSwap == false {
            advice.append("this kernel does not account swap: a worker may swap beyond its memory limit")
        }
        if facts.systemdRuns, facts.unit?.hasSuffix(".service") == true, !facts.hasNotifySocket {
            advice.append("systemd is not told when the workers are ready: set Type=notify in the unit")
        }
        self.advice = advice
    }

    // MARK: Words

    /// For a person, a line each.
    package var lines: [String] {
        var lines = rows.map { name, value in
            name + String(repeating: " ", count: max(1, 18 - name.count)) + value
        }
        lines.append("")
        for verdict in verdicts {
            let asked =
                verdict.groups.isEmpty ? "" : " (asked for by \(verdict.groups.joined(separator: ", ")))"
            let mark = verdict.isEnforced ? "enforced" : "NOT enforced"
            lines.append("--\(verdict.option), \(verdict.kernelFile): \(mark)\(asked)")
        }
        lines.append("")
        lines.append(
            isEnforceable
                ? "A supervisor can start here, with every limit that was asked for."
                : "A supervisor cannot start here as asked.")
        lines += advice.map { "- \($0)" }
        return lines
    }

    private var rows: [(name: String, value: String)] {
        func yes(_ flag: Bool?) -> String { flag.map { $0 ? "yes" : "no" } ?? "cannot be seen from here" }
        var rows = [
            ("kernel", "Linux \(facts.kernel ?? "unknown") (5.19 or later is needed)"),
            (
                "cgroup2",
                (facts.mountPoint ?? "not mounted") + (facts.isReadOnly ? ", read-only" : "")
                    + (facts.hasVersion1 ? ", beside cgroup v1" : "")
            ),
            ("own cgroup", facts.ownCgroup ?? "none"),
        ]
        if let root = facts.root {
            let owner = facts.owner.map { "of user \($0)" } ?? "of nobody"
            rows += [
                ("its root", root + (facts.rootIsMade ? ", to be made" : "")),
                (
                    "there",
                    "\(facts.isWritable ? "writable" : "not writable") by user \(facts.user), \(owner), "
                        + (facts.isDelegated ? "delegated by systemd" : "not marked as delegated")
                ),
                (
                    "controllers",
                    facts.controllers.isEmpty ? "none" : facts.controllers.joined(separator: " ")
                ),
                (
                    "enabled below",
                    facts.enabledControllers.isEmpty
                        ? "none yet" : facts.enabledControllers.joined(separator: " ")
                ),
                ("cgroup.kill", yes(facts.hasKill)),
                ("swap accounting", yes(facts.accountsSwap)),
            ]
        }
        let systemd =
            facts.systemdRuns
            ? "running" + (facts.systemdVersion.map { " (\($0))" } ?? "")
                + (facts.unit.map { ", in \($0)" } ?? "")
                + (facts.hasNotifySocket ? ", waits for READY=1" : "")
                + (facts.hasUserManager ? ", user manager" : "")
            : "not running"
        rows += [
            ("PSI", yes(facts.hasPressure)), ("systemd", systemd),
            ("container", facts.container ?? "none known"),
        ]
        return rows
    }

    /// The same for a machine: one JSON object, and a line end.
    package var json: [UInt8] {
        var text = JSONText()
        text.object { object in
            func add(_ name: String, _ value: Record.Value?) {
                if let value { object.member(name, value) }
            }
            add("enforceable", .boolean(isEnforceable))
            add("obstacle", facts.obstacle.map { .text($0) })
            add("advice", .texts(advice))
            add("enforced", .texts(verdicts.filter(\.isEnforced).map(\.option)))
            add("not_enforced", .texts(verdicts.filter { !$0.isEnforced }.map(\.option)))
            add("asked_for", .texts(verdicts.filter { !$0.groups.isEmpty }.map(\.option)))
            add("kernel", facts.kernel.map { .text($0) })
            add("cgroup2_mount", facts.mountPoint.map { .text($0) })
            add("cgroup2_read_only", .boolean(facts.isReadOnly))
            add("cgroup_v1", .boolean(facts.hasVersion1))
            add("own_cgroup", facts.ownCgroup.map { .text($0) })
            add("root", facts.root.map { .text($0) })
            add("root_is_made", .boolean(facts.rootIsMade))
            add("owner", facts.owner.map { .unsigned(UInt64($0)) })
            add("user", .unsigned(UInt64(facts.user)))
            add("writable", .boolean(facts.isWritable))
            add("delegated", .boolean(facts.isDelegated))
            add("controllers", .texts(facts.controllers))
            add("enabled_controllers", .texts(facts.enabledControllers))
            add("cgroup_kill", facts.hasKill.map { .boolean($0) })
            add("psi", .boolean(facts.hasPressure))
            add("swap_accounting", facts.accountsSwap.map { .boolean($0) })
            add("systemd", .boolean(facts.systemdRuns))
            add("systemd_version", facts.systemdVersion.map { .text($0) })
            add("unit", facts.unit.map { .text($0) })
            add("notify_socket", .boolean(facts.hasNotifySocket))
            add("user_manager", .boolean(facts.hasUserManager))
            add("container", facts.container.map { .text($0) })
        }
        text.newline()
        return text.bytes
    }
}
