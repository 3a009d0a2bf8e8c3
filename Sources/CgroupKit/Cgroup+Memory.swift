extension Cgroup {
    /// Bytes in use now, descendants included (`memory.current`). Raises no notification.
    public borrowing func memoryCurrent() throws(CgroupError) -> UInt64 {
        try read("memory.current") { KernelText.number($0) }
    }

    /// The most bytes that were ever in use at once (`memory.peak`, Linux 5.19).
    public borrowing func memoryPeak() throws(CgroupError) -> UInt64 {
        try read("memory.peak") { KernelText.number($0) }
    }

    /// Bytes of swap in use now (`memory.swap.current`).
    public borrowing func swapCurrent() throws(CgroupError) -> UInt64 {
        try read("memory.swap.current") { KernelText.number($0) }
    }

    /// How often a limit was met here or beneath (`memory.events`).
    public borrowing func memoryEvents() throws(CgroupError) -> MemoryEvents {
        try read("memory.events") { MemoryEvents.parse($0) }
    }

    /// How often this cgroup's own limits were met (`memory.events.local`).
    public borrowing func memoryEventsLocal() throws(CgroupError) -> MemoryEvents {
        try read("memory.events.local") { MemoryEvents.parse($0) }
    }

    /// What the memory is used for (`memory.stat`). It may lag `memoryCurrent()` by some 400 KB.
    public borrowing func memoryStat() throws(CgroupError) -> MemoryStat {
        try read("memory.stat", expecting: 4096) { MemoryStat.parse($0) }
    }

    /// The threshold above which processes are throttled and made to reclaim (`memory.high`).
    public borrowing func memoryHigh() throws(CgroupError) -> Limit {
        try read("memory.high") { Limit.parse($0) }
    }

    /// The hard limit (`memory.max`).
    public borrowing func memoryMax() throws(CgroupError) -> Limit {
        try read("memory.max") { Limit.parse($0) }
    }

    /// The bytes that reclaim never takes (`memory.min`).
    public borrowing func memoryMin() throws(CgroupError) -> Limit {
        try read("memory.min") { Limit.parse($0) }
    }

    /// The limit on swap (`memory.swap.max`).
    public borrowing func swapMax() throws(CgroupError) -> Limit {
        try read("memory.swap.max") { Limit.parse($0) }
    }

    /// Whether an OOM kill takes all processes of this cgroup (`memory.oom.group`).
    public borrowing func oomGroup() throws(CgroupError) -> Bool {
        try read("memory.oom.group") { KernelText.number($0).map { $0 != 0 } }
    }

    /// Sets `memory.high`. A value below what is in use reclaims at once and may block for as long.
    public borrowing func setMemoryHigh(_ limit: Limit) throws(CgroupError) {
        try write(limit.description, to: "memory.high")
    }

    /// Sets `memory.max`. A value below what is in use reclaims at once, may block for as long, and may kill.
    public borrowing func setMemoryMax(_ limit: Limit) throws(CgroupError) {
        try write(limit.description, to: "memory.max")
    }

    /// Sets `memory.low`, the bytes that reclaim spares while it can.
    public borrowing func setMemoryLow(_ limit: Limit) throws(CgroupError) {
        try write(limit.description, to: "memory.low")
    }

    /// Sets `memory.min`, the bytes that reclaim never takes.
    public borrowing func setMemoryMin(_ limit: Limit) throws(CgroupError) {
        try write(limit.description, to: "memory.min")
    }

    /// Sets `memory.swap.max`. Throws `ENOENT` on a kernel without swap accounting.
    public borrowing func setSwapMax(_ limit: Limit) throws(CgroupError) {
        try write(limit.description, to: "memory.swap.max")
    }

    /// Sets `memory.zswap.max`. Throws `ENOENT` on a kernel without zswap.
    public borrowing func setZswapMax(_ limit: Limit) throws(CgroupError) {
        try write(limit.description, to: "memory.zswap.max")
    }

    /// Sets `memory.oom.group`.
    public borrowing func setOOMGroup(_ killsAll: Bool) throws(CgroupError) {
        try write(killsAll ? "1" : "0", to: "memory.oom.group")
    }

    /// Has the kernel take back so many bytes (`memory.reclaim`, Linux 5.19). Blocks meanwhile. Throws `EAGAIN`
    /// if it could take back only fewer.
    public borrowing func reclaim(bytes: UInt64) throws(CgroupError) {
        try write(String(bytes), to: "memory.reclaim")
    }
}
