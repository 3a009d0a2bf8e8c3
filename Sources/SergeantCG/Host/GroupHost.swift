internal import CgroupKit
internal import Glibc
internal import Supervision

/// What the workers of one group have in common: the directory, the program made ready to run, the limits.
final class GroupHost {
    let configuration: GroupConfiguration
    let name: String
    let limits: Limits
    let stopSignal: Int32
    let isSergeant: Bool
    let notifies: Bool
    private let targets: LauncherImage.Targets
    private let subtree: Subtree
    private let program: PreparedProcess
    /// How it is started where nothing holds it up.
    private let mode: ProcessSpecification.Mode
    let output: GroupOutput
    var executable: String { program.executable }
    private var directory: Directory?
    private let accountsMemory: Bool
    /// False once `memory.swap.max` was found missing: a kernel without swap accounting.
    private var limitsSwap = true

    init(
        _ configuration: GroupConfiguration, executable: String, launcher: Int32?, subtree: Subtree,
        sockets: [ListeningSockets.Socket], output: GroupOutput, resetSignals: UInt64
    ) throws(SupervisorError) {
        self.configuration = configuration
        name = configuration.name
        limits = configuration.limits
        notifies = configuration.notifies
        stopSignal = configuration.stopSignal
        self.subtree = subtree
        self.output = output
        accountsMemory = subtree.accountsMemory
        targets = LauncherImage.Targets(sockets: sockets.count)
        let words: [String]
        switch configuration.program {
        case .command(let command): words = command
        case .sergeant(let module, let name, let python):
            words = LauncherImage.command(python: python, module: module, class: name, targets: targets)
        }
        let place = IncarnationID(group: 0, slot: 0, number: 0)
        let placeholders = WorkerEnvironment.own(
            place, names: Names(groups: [], root: ""), notifySocket: notifies ? "" : nil)
        var specification = ProcessSpecification(
            executable: executable, arguments: words,
            environment: WorkerEnvironment.shared(configuration, sockets: sockets.map(\.name)) + placeholders
                + output.variables)
        specification.resetSignals = resetSignals
        specification.workingDirectory = configuration.workingDirectory
        specification.fileModeMask = configuration.fileModeMask
        specification.resourceLimits = Self.resourceLimits(configuration)
        specification.noNewPrivileges = configuration.noNewPrivileges
        specification.oomScoreAdjustment = Self.oomScoreAdjustment(configuration)
        specification.descriptors = sockets.enumerated().map { index, socket in
            .init(source: socket.descriptor, target: ListeningSockets.firstTarget + Int32(index))
        }
        if !sockets.isEmpty { specification.pidVariables.append("LISTEN_PID") }
        if configuration.watchdog != nil { specification.pidVariables.append("WATCHDOG_PID") }
        specification.descriptors += output.targets
        if let launcher {
            specification.descriptors += [
                .init(source: 0, target: targets.report), .init(source: launcher, target: targets.source),
            ]
        }
        isSergeant = launcher != nil
        // Under a tiny limit, or with its CPU time used up, exec itself may be throttled: the supervisor must not wait for
        // that.
        let least = min(limits.memoryThreshold ?? .max, limits.memoryMax ?? .max)
        if least < 16 << 20 || limits.cpuMax != nil { specification.mode = .copiesMemory }
        if let user = configuration.user, !user.isOurs {
            specification.user = .init(user: user.user, group: user.group, groups: user.groups)
            // That user may stop the child before exec: nobody is to wait for it.
            specification.mode = .copiesMemory
        }
        mode = specification.mode
        do { program = try PreparedProcess(specification) } catch {
            throw SupervisorError(.configuration, error.description)
        }
    }

    private static func resourceLimits(
        _ configuration: GroupConfiguration
    ) -> [ProcessSpecification.ResourceLimit] {
        var limits = configuration.resourceLimits ?? []
        if let found = configuration.openFileLimit, !limits.contains(where: { $0.resource == .nofile }) {
            limits.append(ResourceLimit(.nofile, soft: found.soft, hard: found.hard))
        }
        return limits.map { .init($0.resource.number, soft: $0.soft, hard: $0.hard) }
    }

    /// A service that must never be OOM-killed has an `oom_score_adj` of -1000 (proc(5)), and its children inherit it:
    /// the kernel would find nobody to kill at a worker's own limit, and the worker would hang there.
    ///
    /// - Returns: nil for the supervisor's own.
    private static func oomScoreAdjustment(_ configuration: GroupConfiguration) -> Int32? {
        if let found = configuration.oomScoreAdjustment { return found }
        return configuration.limits.needMemory && OOMScore.own == -1000 ? -999 : nil
    }

    /// Supervision hears of `memory.events`.
    var watchesMemory: Bool {
        limits.memoryThreshold != nil || configuration.oomPolicy == .continue && accountsMemory
    }

    /// Nil where nobody asks.
    func pressureTrigger(of cgroup: borrowing Cgroup) throws(CgroupError) -> PressureTrigger? {
        guard let limit = limits.memoryPressure else { return nil }
        return try PressureTrigger(
            .memory, of: cgroup, stallMicroseconds: UInt64(limit.stall.microseconds),
            windowMicroseconds: UInt64(limit.window.microseconds))
    }

    /// What all workers of the group use together.
    func measure() throws(CgroupError) -> MemoryMeasurement {
        try withDirectory { (group) throws(CgroupError) in
            MemoryMeasurement(
                current: try group.memoryCurrent(), unreclaimable: try group.memoryStat().unreclaimable)
        }
    }

    /// Limits all workers together, where that limit was another.
    func limitGroup(from before: UInt64?, _ slowWrites: SlowWrites) throws(CgroupError) {
        guard configuration.groupMemoryMax != before, let directory else { return }
        if let most = configuration.groupMemoryMax, try directory.cgroup.memoryCurrent() > most {
            slowWrites.lowerMemoryMax(of: directory.cgroup, to: most, nil)
        } else {
            try directory.cgroup.setMemoryMax(Limit(configuration.groupMemoryMax))
        }
    }

    /// The group's directory, made again where somebody removed it.
    private func withDirectory<Result: ~Copyable>(
        _ body: (borrowing Cgroup) throws(CgroupError) -> Result
    ) throws(CgroupError) -> Result {
        if let directory {
            do throws(CgroupError) { return try body(directory.cgroup) } catch {
                guard error.errno == ENOENT || error.errno == ENODEV else { throw error }
            }
        }
        let made = Directory(try subtree.openGroup(name))
        if let most = configuration.groupMemoryMax { try made.cgroup.setMemoryMax(.bytes(most)) }
        directory = made
        return try body(made.cgroup)
    }

    /// The incarnations of the other are removed through this one.
    func takePlace(of other: GroupHost) {
        directory = other.directory
    }

    func makeCgroup(_ leaf: String) throws(CgroupError) -> Cgroup {
        try withDirectory { (group) throws(CgroupError) in try group.makeChild(leaf) }
    }

    /// That of a worker that runs already.
    func openCgroup(_ leaf: String) throws(CgroupError) -> Cgroup {
        try withDirectory { (group) throws(CgroupError) in try group.openChild(leaf) }
    }

    /// Limits a worker that runs already. Never below what it holds now, which would have us wait in reclaim, or kill it:
    /// a look at it follows.
    func limitAgain(_ cgroup: borrowing Cgroup) throws(CgroupError) {
        let current = limits.needMemory ? try cgroup.memoryCurrent() : 0
        try limit(cgroup, least: current)
    }

    func limit(_ cgroup: borrowing Cgroup) throws(CgroupError) {
        try limit(cgroup, least: 0)
    }

    private func limit(_ cgroup: borrowing Cgroup, least: UInt64) throws(CgroupError) {
        if accountsMemory { try cgroup.setOOMGroup(configuration.oomPolicy == .kill) }
        if let threshold = limits.memoryThreshold { try cgroup.setMemoryHigh(.bytes(max(threshold, least))) }
        if let hard = limits.memoryMax { try cgroup.setMemoryMax(.bytes(max(hard, least))) }
        if let swapLimit { try limitSwap(cgroup, to: swapLimit) }
        if let bytes = limits.zswapMax { try cgroup.setZswapMax(.bytes(bytes)) }
        try limitShares(cgroup, before: Limits())
    }

    /// Where memory is limited and nothing is said of swap, none may be used: what is over the limit would go there.
    private var swapLimit: UInt64? { limits.swapMax ?? (limits.needMemory ? 0 : nil) }

    private func limitSwap(_ cgroup: borrowing Cgroup, to bytes: UInt64?) throws(CgroupError) {
        guard limitsSwap else { return }
        do throws(CgroupError) { try cgroup.setSwapMax(Limit(bytes)) } catch {
            guard error.errno == ENOENT, limits.swapMax == nil else { throw error }
            limitsSwap = false
        }
    }

    /// Has a worker that runs already, under limits of another configuration, run under these. What it may hold of memory
    /// is left as it is: that is looked at first.
    func change(_ cgroup: borrowing Cgroup, from before: GroupHost) throws(CgroupError) {
        if swapLimit != before.swapLimit { try limitSwap(cgroup, to: swapLimit) }
        if limits.zswapMax != before.limits.zswapMax { try cgroup.setZswapMax(Limit(limits.zswapMax)) }
        try limitShares(cgroup, before: before.limits)
    }

    /// All but memory: what the kernel has in force at once, whatever the worker uses.
    private func limitShares(_ cgroup: borrowing Cgroup, before: Limits) throws(CgroupError) {
        if limits.pidsMax != before.pidsMax {
            try cgroup.setPidsMax(limits.pidsMax.map { .count($0) } ?? .max)
        }
        if limits.cpuMax != before.cpuMax {
            try cgroup.setCPUMax(
                limits.cpuMax.map { .quota(microseconds: $0, period: Limits.cpuPeriod) } ?? .max)
        }
        if limits.cpuWeight != before.cpuWeight {
            try cgroup.setCPUWeight(limits.cpuWeight ?? Weight.standard)
        }
        if limits.ioWeight != before.ioWeight {
            try cgroup.setIOWeight(limits.ioWeight ?? Weight.standard)
        }
        let (devices, devicesBefore) = (limits.ioMax ?? [], before.ioMax ?? [])
        let lifted = devicesBefore.filter { old in !devices.contains { $0.device == old.device } }
        for limit in lifted.map(\.lifted) + devices where !devicesBefore.contains(limit) {
            try cgroup.setIOMax(limit.line)
        }
    }

    /// Starts the program in a worker's cgroup.
    ///
    /// - Parameters:
    ///   - report: the worker's end of its report channel.
    ///   - isCongested: the worker would wait for a CPU before its exec. Nobody is to wait for that, nor for one that is
    ///     frozen.
    func spawn(
        _ slot: SlotID, in cgroup: borrowing Cgroup, names: Names, environment: [String], report: Int32?,
        isCongested: Bool
    ) throws(SpawnError) -> PlacedProcess {
        program.mode = isCongested || directory?.freeze.isFrozen == true ? .copiesMemory : mode
        if let report { try program.setSource(report, forTarget: targets.report) }
        let name = names.worker(slot)
        return try output.withDescriptor(slot, named: name) { (descriptor, variables) throws(SpawnError) in
            try program.replaceLastVariables(environment + variables)
            for target in output.targets.map(\.target) {
                try program.setSource(descriptor ?? target, forTarget: target)
            }
            return try cgroup.spawn(program)
        }
    }

    /// Of a group of which this image of the program has started no worker yet, too.
    func remove(_ leaf: String) throws(CgroupError) {
        try withDirectory { (group) throws(CgroupError) in try group.removeChild(leaf) }
    }
}

/// A cgroup that can be had, lost and had again.
private final class Directory {
    let cgroup: Cgroup
    let freeze: FreezeView

    init(_ cgroup: consuming Cgroup) {
        freeze = FreezeView(cgroup)
        self.cgroup = cgroup
    }
}
