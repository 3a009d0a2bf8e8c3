internal import CgroupKit
internal import Supervision

/// What in a configuration contradicts itself, or cannot be.
package struct ConfigurationContradiction: Hashable, Sendable {
    /// As one sentence.
    package var sentence: String
    /// In which group, by its place in the list; nil where it is none's.
    package var group: Int?
    /// At which option, by its word; nil where it is none's.
    package var setting: String?
}

extension Configuration {
    /// The smallest limit under which a process can start (below 192 KB it is killed at exec, kernel 6.12).
    static let leastMemory: UInt64 = 1 << 20

    /// The largest `pids.max` that the kernel takes as a number (PID_MAX_LIMIT on 64 bits).
    static let mostProcesses: UInt64 = 4 << 20

    /// The `cpu.max` that the kernel takes: a millisecond at least.
    private static let processorTime: ClosedRange<UInt64> = 1000...(100_000 * Limits.cpuPeriod)

    /// What is wrong with the configuration, as one sentence; nil where nothing is.
    package var fault: String? { firstFault(.flag)?.sentence }

    /// The same with its place.
    ///
    /// - Parameter notation: how the sentence names options.
    package func firstFault(_ notation: OptionNotation) -> ConfigurationContradiction? {
        if groups.isEmpty { return .init(sentence: "there is no group of workers to run") }
        if !Self.isDirectoryName(name) || name == "." || name == ".." {
            return .init(
                sentence: "the name '\(name)' cannot be a directory's name", setting: Setting.name.name)
        }
        if let sentence = faultOfPlace {
            return .init(sentence: sentence, setting: Setting.cgroup.name)
        }
        if accounting == "" {
            return .init(sentence: "the path of the account is empty", setting: Setting.accounting.name)
        }
        var names = Set<String>()
        for (index, group) in groups.enumerated() {
            if let sentence = faultOfName(group.name) { return .init(sentence: sentence, group: index) }
            if !names.insert(group.name).inserted {
                return .init(sentence: "two groups are called '\(group.name)'", group: index)
            }
            if let (setting, sentence) = fault(of: group, notation.word) {
                return .init(sentence: sentence, group: index, setting: setting)
            }
        }
        return nil
    }

    /// The kernel takes no line end in a cgroup's name, and a person no other control character.
    private static func isDirectoryName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 200
            && !name.unicodeScalars.contains { $0 == "/" || $0.properties.generalCategory == .control }
    }

    /// How the name of an instance may be written.
    static let nameSpelling = Spelling.directoryName(except: #"\.{1,2}$"#)

    /// How the path of the cgroup may be written.
    static let cgroupSpelling = Spelling.pattern(#"(?!(?:[\s\S]*/)?\.\.(?:/|$))[\s\S]+"#, numbers: .any)

    private var faultOfPlace: String? {
        guard case .path(let path) = place else { return nil }
        if path.isEmpty { return "the path of the cgroup is empty" }
        if path.utf8.contains(0) || PathText.components(of: path).contains("..") {
            return "the path of the cgroup '\(path)' must lead down from the cgroup2 mount, without '..'"
        }
        return nil
    }

    private func faultOfName(_ name: String) -> String? {
        if !Self.isDirectoryName(name) || name.hasPrefix(".") {
            return "the group name '\(name)' cannot be a directory's name"
        }
        if name == Subtree.supervisorLeaf {
            return "the group name '\(name)' is taken by the supervisor's own cgroup"
        }
        return nil
    }

    /// - Returns: the option's word, nil where it is none's, and a sentence.
    private func fault(
        of group: GroupConfiguration, _ word: (String) -> String
    ) -> (setting: String?, sentence: String)? {
        if group.workers < 1 {
            let name = Setting.concurrentWorkers.name
            return (name, "\(word(name)) is \(group.workers): at least 1 is needed")
        }
        if let fault = fault(of: group.program, in: group.name) { return fault }
        if let name = group.environment.keys.sorted().first(where: WorkerEnvironment.withheld.contains) {
            return (Setting.env.name, "the variable \(name) is the supervisor's to set")
        }
        if group.workingDirectory == "" {
            return (Setting.workingDirectory.name, "the working directory of group '\(group.name)' is empty")
        }
        if let sentence = fault(of: group.listen, in: group.name) {
            return (Setting.listen.name, sentence)
        }
        if let fault = fault(of: group.limits, word) { return fault }
        if let sentence = fault(of: group.resourceLimits ?? []) { return (Setting.rlimit.name, sentence) }
        if let least = group.limits.memoryMax ?? group.limits.memoryThreshold,
            let most = group.groupMemoryMax, most < least
        {
            let name = Setting.groupMemoryMax.name
            return (
                name, "\(word(name)) (\(most) bytes) is less than what one worker may use (\(least) bytes)"
            )
        }
        if let most = group.groupMemoryMax, most < Self.leastMemory {
            let name = Setting.groupMemoryMax.name
            return (
                name,
                "\(word(name)) is \(most) bytes: no process can start in less than 1M (0 switches the limit off)"
            )
        }
        if group.onLeftover == .adopt, group.output == .prefix {
            let name = Setting.onLeftover.name
            return (
                name,
                "\(word(name)) adopt and \(word(Setting.output.name)) prefix do not go together: what such workers print "
                    + "goes through the supervisor, and without one they could not live on"
            )
        }
        if group.backOffInitial > group.backOffMaximum {
            let initial = Setting.backoffInitial.name
            let maximum = Setting.backoffMax.name
            return (
                initial,
                "\(word(initial)) (\(group.backOffInitial)) is above \(word(maximum)) (\(group.backOffMaximum)): "
                    + "raise the latter too"
            )
        }
        if group.stopSignal < 1 || group.stopSignal > 64 {
            return (Setting.stopSignal.name, "the stop signal \(group.stopSignal) is no signal")
        }
        return nil
    }

    private func fault(
        of program: GroupConfiguration.Program, in group: String
    ) -> (setting: String?, sentence: String)? {
        switch program {
        case .command(let words):
            guard let first = words.first, !first.isEmpty else {
                return (
                    Setting.command.name, "the command of group '\(group)' is empty: name a program"
                )
            }
            if words.contains(where: { $0.utf8.contains(0) }) {
                return (Setting.command.name, "the command of group '\(group)' holds a NUL byte")
            }
        case .sergeant(let module, let name, let python):
            if module.isEmpty || name.isEmpty || python.isEmpty {
                return (nil, "the group '\(group)' needs a worker module, a worker class and a Python")
            }
        }
        return nil
    }

    private func fault(of addresses: [ListenAddress], in group: String) -> String? {
        for (index, address) in addresses.enumerated() {
            if !ListenAddress.isName(address.name) {
                return
                    "the socket name '\(address.name)' cannot be one: it takes up to 255 printable ASCII characters "
                    + "without ':'"
            }
            if addresses[..<index].contains(where: { $0.description == address.description }) {
                return "the group '\(group)' is to listen at \(address) twice"
            }
        }
        return nil
    }

    private func fault(
        of limits: Limits, _ word: (String) -> String
    ) -> (setting: String?, sentence: String)? {
        let threshold = Setting.maxWorkerMemoryUsage.name
        let hard = Setting.memoryMax.name
        for case (let name, let bytes?) in [(threshold, limits.memoryThreshold), (hard, limits.memoryMax)]
        where bytes < Self.leastMemory {
            return (
                name,
                "\(word(name)) is \(bytes) bytes: no process can start in less than 1M (0 switches the limit off)"
            )
        }
        if let bytes = limits.memoryThreshold, let most = limits.memoryMax, bytes >= most {
            return (
                threshold,
                "\(word(threshold)) (\(bytes) bytes) must be below \(word(hard)) (\(most) bytes), "
                    + "else the kernel kills a worker before it can be recycled"
            )
        }
        let pids = Setting.pidsMax.name
        if let count = limits.pidsMax, count > Self.mostProcesses {
            return (
                pids,
                "\(word(pids)) is \(count): the kernel takes at most \(Self.mostProcesses) (0 switches the limit off)"
            )
        }
        if limits.pidsMax == 0 { return (pids, "\(word(pids)) is 0: no worker could be started") }
        return faultOfShares(limits, word)
    }

    private func fault(of limits: [ResourceLimit]) -> String? {
        for (index, limit) in limits.enumerated() {
            if let fault = limit.fault { return fault }
            if limits[..<index].contains(where: { $0.resource == limit.resource }) {
                return "the resource limit \(limit.resource.rawValue) is given twice"
            }
        }
        return nil
    }

    private func faultOfShares(
        _ limits: Limits, _ word: (String) -> String
    ) -> (setting: String?, sentence: String)? {
        let processors = Setting.cpuMax.name
        if let time = limits.cpuMax, !Self.processorTime.contains(time) {
            return (
                processors,
                "\(word(processors)) is \(Double(time) / Double(Limits.cpuPeriod)): the kernel takes from 0.01 to 100000 "
                    + "CPUs (0 switches the limit off)"
            )
        }
        for case (let name, let weight?) in [
            (Setting.cpuWeight.name, limits.cpuWeight), (Setting.ioWeight.name, limits.ioWeight),
        ] where !Weight.range.contains(weight) {
            return (name, "\(word(name)) is \(weight): a weight is from 1 to 10000")
        }
        var devices: Set<String> = []
        for limit in limits.ioMax ?? [] where !devices.insert(limit.device).inserted {
            let name = Setting.ioMax.name
            return (name, "\(word(name)) has the device \(limit.device) twice")
        }
        return nil
    }
}

extension GroupConfiguration {
    /// How the name of a group may be written.
    static let nameSpelling = Spelling.directoryName(except: #"\.|\#(Subtree.supervisorLeaf)$"#)
}
