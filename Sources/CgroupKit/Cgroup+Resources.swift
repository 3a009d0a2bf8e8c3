extension Cgroup {
    /// CPU time so far, and throttling (`cpu.stat`). The time is there without the cpu controller too.
    public borrowing func cpuStat() throws(CgroupError) -> CPUStat {
        try read("cpu.stat") { CPUStat.parse($0) }
    }

    /// The limit on CPU time (`cpu.max`).
    public borrowing func cpuMax() throws(CgroupError) -> CPULimit {
        try read("cpu.max") { CPULimit.parse($0) }
    }

    /// Sets `cpu.max`.
    public borrowing func setCPUMax(_ limit: CPULimit) throws(CgroupError) {
        try write(limit.description, to: "cpu.max")
    }

    /// Sets `cpu.weight`, from 1 to 10000; the kernel's default is 100. Throws `ERANGE` for others.
    public borrowing func setCPUWeight(_ weight: UInt64) throws(CgroupError) {
        try write(String(weight), to: "cpu.weight")
    }

    /// Sets the default of `io.weight`, from 1 to 10000; the kernel's own is 100.
    public borrowing func setIOWeight(_ weight: UInt64) throws(CgroupError) {
        try write("default \(weight)", to: "io.weight")
    }

    /// Sets the limits of one device in `io.max`: `8:16 rbps=2097152 wiops=120`.
    public borrowing func setIOMax(_ line: String) throws(CgroupError) {
        try write(line, to: "io.max")
    }

    /// What was read from and written to block devices (`io.stat`).
    public borrowing func ioStat() throws(CgroupError) -> IOStat {
        try read("io.stat") { IOStat.parse($0) }
    }

    /// Processes and threads now, descendants included (`pids.current`).
    public borrowing func pidsCurrent() throws(CgroupError) -> UInt64 {
        try read("pids.current") { KernelText.number($0) }
    }

    /// The most there ever were at once (`pids.peak`, Linux 6.1).
    public borrowing func pidsPeak() throws(CgroupError) -> UInt64 {
        try read("pids.peak") { KernelText.number($0) }
    }

    /// How often `pids.max` was met (`pids.events`).
    public borrowing func pidsEvents() throws(CgroupError) -> PidsEvents {
        try read("pids.events") { PidsEvents.parse($0) }
    }

    /// The limit on processes and threads (`pids.max`).
    public borrowing func pidsMax() throws(CgroupError) -> CountLimit {
        try read("pids.max") { CountLimit.parse($0) }
    }

    /// Sets `pids.max`.
    public borrowing func setPidsMax(_ limit: CountLimit) throws(CgroupError) {
        try write(limit.description, to: "pids.max")
    }

    /// Time lost for want of a resource. Throws `EOPNOTSUPP` where the kernel has it switched off.
    public borrowing func pressure(_ resource: Pressure.Resource) throws(CgroupError) -> Pressure {
        switch resource {
        case .memory: try read("memory.pressure") { Pressure.parse($0) }
        case .cpu: try read("cpu.pressure") { Pressure.parse($0) }
        case .io: try read("io.pressure") { Pressure.parse($0) }
        }
    }

    /// How many cgroups are beneath this one, and how many removed ones still hold memory (`cgroup.stat`).
    public borrowing func cgroupStat() throws(CgroupError) -> CgroupStat {
        try read("cgroup.stat") { CgroupStat.parse($0) }
    }
}
