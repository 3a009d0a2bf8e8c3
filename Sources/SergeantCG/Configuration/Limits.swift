package import CgroupKit

/// A worker's limits. Nil is no limit.
public struct Limits: Hashable, Codable, Sendable {
    /// `--max-worker-memory-usage`, bytes that reclaim cannot take back: more, and the worker is recycled.
    public var memoryThreshold: UInt64?
    /// `memory.max`, bytes: more, and the kernel kills the worker.
    public var memoryMax: UInt64?
    /// `memory.swap.max`, bytes. Nil is 0 where memory is limited, else what the cgroup inherits.
    public var swapMax: UInt64?
    /// `memory.zswap.max`, bytes of swap that may be held compressed in memory. Nil is what the cgroup inherits.
    public var zswapMax: UInt64?
    /// How long a worker may stand still for want of memory before it is recycled.
    public var memoryPressure: PressureLimit?
    /// `pids.max`, processes and threads.
    public var pidsMax: UInt64?
    /// `cpu.max`, microseconds of CPU time in every ``cpuPeriod``, over all CPUs together.
    public var cpuMax: UInt64?
    /// `cpu.weight`, from 1 to 10000. Nil is the kernel's own, 100.
    public var cpuWeight: UInt64?
    /// `io.weight`, from 1 to 10000. Nil is the kernel's own, 100.
    public var ioWeight: UInt64?
    /// `io.max`, no device twice.
    public var ioMax: [IOLimit]?

    /// The time over which ``cpuMax`` is counted, in microseconds: the kernel's own period.
    public static let cpuPeriod: UInt64 = 100_000

    /// A configuration is checked when a ``Supervisor`` is made of it, not here.
    public init(
        memoryThreshold: UInt64? = nil, memoryMax: UInt64? = nil, swapMax: UInt64? = nil,
        zswapMax: UInt64? = nil, memoryPressure: PressureLimit? = nil, pidsMax: UInt64? = nil,
        cpuMax: UInt64? = nil, cpuWeight: UInt64? = nil, ioWeight: UInt64? = nil,
        ioMax: [IOLimit]? = nil
    ) {
        self.memoryThreshold = memoryThreshold
        self.memoryMax = memoryMax
        self.swapMax = swapMax
        self.zswapMax = zswapMax
        self.memoryPressure = memoryPressure
        self.pidsMax = pidsMax
        self.cpuMax = cpuMax
        self.cpuWeight = cpuWeight
        self.ioWeight = ioWeight
        self.ioMax = ioMax
    }

    /// Some limit needs the memory controller.
    package var needMemory: Bool {
        memoryThreshold != nil || memoryMax != nil || swapMax != nil || zswapMax != nil
            || memoryPressure != nil
    }

    /// Makes these of the other: all that is changed on a living worker.
    package mutating func takeChangeable(of other: Limits) {
        memoryThreshold = other.memoryThreshold
        memoryMax = other.memoryMax
        swapMax = other.swapMax
        zswapMax = other.zswapMax
        pidsMax = other.pidsMax
        cpuMax = other.cpuMax
        cpuWeight = other.cpuWeight
        ioWeight = other.ioWeight
        ioMax = other.ioMax
    }

    /// The controllers without which the kernel could not enforce them.
    package var controllers: Controllers {
        var needed: Controllers = []
        if needMemory { needed.insert(.memory) }
        if pidsMax != nil { needed.insert(.pids) }
        if cpuMax != nil || cpuWeight != nil { needed.insert(.cpu) }
        if ioWeight != nil || ioMax != nil { needed.insert(.io) }
        return needed
    }

    /// A file that a kernel with the controller may lack all the same.
    package struct OptionalFile: Sendable {
        package let setting: Setting
        package let controller: Controllers
        package let name: String
        /// These limits cannot be had without it.
        package let isNeeded: @Sendable (Limits) -> Bool
    }

    package static let optionalFiles: [OptionalFile] = [
        .init(setting: .zswapMax, controller: .memory, name: "memory.zswap.max") { $0.zswapMax != nil },
        .init(setting: .memoryPressure, controller: .memory, name: "memory.pressure") {
            $0.memoryPressure != nil
        },
        .init(setting: .cpuMax, controller: .cpu, name: "cpu.max") { $0.cpuMax != nil },
        .init(setting: .ioWeight, controller: .io, name: "io.weight") { $0.ioWeight != nil },
        .init(setting: .ioMax, controller: .io, name: "io.max") { $0.ioMax != nil },
    ]

    /// Those that these limits need.
    package var optionalFiles: [OptionalFile] { Self.optionalFiles.filter { $0.isNeeded(self) } }
}
