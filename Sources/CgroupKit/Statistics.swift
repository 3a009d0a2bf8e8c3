/// `memory.events` and `memory.events.local`: how often a memory limit was met, since the cgroup was made.
///
/// The kernel merges notifications, so compare counters; never count events. `oomKill` counts processes,
/// `oomGroupKill` groups. Whether a cgroup lost a process is `oomKill > 0`, never `oom > 0`.
public struct MemoryEvents: Hashable, Sendable, KernelFormatted {
    /// Times that memory was reclaimed although it was below `memory.low`.
    public var low: UInt64
    /// Times that `memory.high` was exceeded and its processes were throttled and made to reclaim.
    public var high: UInt64
    /// Times that `memory.max` was about to be exceeded.
    public var max: UInt64
    /// Times that `memory.max` was reached and an allocation was about to fail.
    public var oom: UInt64
    /// Processes of this cgroup that an OOM killer killed, whoever's limit caused it.
    public var oomKill: UInt64
    /// Times that the whole cgroup was killed (`memory.oom.group`). Linux 5.17.
    public var oomGroupKill: UInt64

    /// Counters of these values; those not given are 0.
    public init(
        low: UInt64 = 0, high: UInt64 = 0, max: UInt64 = 0, oom: UInt64 = 0, oomKill: UInt64 = 0,
        oomGroupKill: UInt64 = 0
    ) {
        self.low = low
        self.high = high
        self.max = max
        self.oom = oom
        self.oomKill = oomKill
        self.oomGroupKill = oomGroupKill
    }

    /// Reads the file's bytes. Unknown keys are passed over; `nil` if a key is missing.
    public static func parse(_ bytes: Span<UInt8>) -> MemoryEvents? {
        var low, high, max, oom, oomKill, oomGroupKill: UInt64?
        KernelText.forEachPair(bytes) { key, value in
            if KernelText.equals(bytes, key, "low") {
                low = value
            } else if KernelText.equals(bytes, key, "high") {
                high = value
            } else if KernelText.equals(bytes, key, "max") {
                max = value
            } else if KernelText.equals(bytes, key, "oom") {
                oom = value
            } else if KernelText.equals(bytes, key, "oom_kill") {
                oomKill = value
            } else if KernelText.equals(bytes, key, "oom_group_kill") {
                oomGroupKill = value
            }
        }
        guard let low, let high, let max, let oom, let oomKill, let oomGroupKill else { return nil }
        return MemoryEvents(
            low: low, high: high, max: max, oom: oom, oomKill: oomKill, oomGroupKill: oomGroupKill)
    }
}

/// `memory.stat`: what a cgroup's memory is used for, in bytes, its descendants included.
public struct MemoryStat: Hashable, Sendable, KernelFormatted {
    /// Anonymous memory: heaps, stacks.
    public var anon: UInt64
    /// Page cache, `shmem` included.
    public var file: UInt64
    /// All kernel memory, `slabReclaimable` included. Linux 5.18.
    public var kernel: UInt64
    /// Shared memory and tmpfs: swap-backed, so reclaim cannot drop it.
    public var shmem: UInt64
    /// Slab that reclaim can take back, such as dentries and inodes.
    public var slabReclaimable: UInt64
    /// Slab that it cannot.
    public var slabUnreclaimable: UInt64
    /// Network buffers. `nil` if the kernel does not tell.
    public var sock: UInt64?
    /// Page cache that is mapped. `nil` if the kernel does not tell.
    public var fileMapped: UInt64?
    /// Page cache not yet written back. `nil` if the kernel does not tell.
    public var fileDirty: UInt64?
    /// Kernel stacks. `nil` if the kernel does not tell.
    public var kernelStack: UInt64?
    /// Page tables. `nil` if the kernel does not tell.
    public var pagetables: UInt64?
    /// Page faults, major ones included: a count, not bytes. `nil` if the kernel does not tell.
    public var faults: UInt64?
    /// Major page faults: a count, not bytes. `nil` if the kernel does not tell.
    public var majorFaults: UInt64?

    /// These bytes, and nothing known of the rest.
    public init(
        anon: UInt64, file: UInt64, kernel: UInt64, shmem: UInt64, slabReclaimable: UInt64,
        slabUnreclaimable: UInt64
    ) {
        self.anon = anon
        self.file = file
        self.kernel = kernel
        self.shmem = shmem
        self.slabReclaimable = slabReclaimable
        self.slabUnreclaimable = slabUnreclaimable
    }

    /// What reclaim cannot take back without swap: `anon + shmem + kernel - slab_reclaimable`, in bytes.
    ///
    /// Never below 0 and never past 64 bits, though the kernel's figures may lag one another.
    public var unreclaimable: UInt64 {
        let (withShared, first) = anon.addingReportingOverflow(shmem)
        let (all, second) = withShared.addingReportingOverflow(kernel)
        let total = first || second ? UInt64.max : all
        return total > slabReclaimable ? total - slabReclaimable : 0
    }

    /// Reads the file's bytes. Unknown keys are passed over; `nil` if `anon`, `file`, `kernel`, `shmem` or one
    /// of the slab keys is missing.
    public static func parse(_ bytes: Span<UInt8>) -> MemoryStat? {
        var anon, file, kernel, shmem, slabReclaimable, slabUnreclaimable: UInt64?
        var sock, fileMapped, fileDirty, kernelStack, pagetables, faults, majorFaults: UInt64?
        KernelText.forEachPair(bytes) { key, value in
            if KernelText.equals(bytes, key, "anon") {
                anon = value
            } else if KernelText.equals(bytes, key, "file") {
                file = value
            } else if KernelText.equals(bytes, key, "kernel") {
                kernel = value
            } else if KernelText.equals(bytes, key, "shmem") {
                shmem = value
            } else if KernelText.equals(bytes, key, "slab_reclaimable") {
                slabReclaimable = value
            } else if KernelText.equals(bytes, key, "slab_unreclaimable") {
                slabUnreclaimable = value
            } else if KernelText.equals(bytes, key, "sock") {
                sock = value
            } else if KernelText.equals(bytes, key, "file_mapped") {
                fileMapped = value
            } else if KernelText.equals(bytes, key, "file_dirty") {
                fileDirty = value
            } else if KernelText.equals(bytes, key, "kernel_stack") {
                kernelStack = value
            } else if KernelText.equals(bytes, key, "pagetables") {
                pagetables = value
            } else if KernelText.equals(bytes, key, "pgfault") {
                faults = value
            } else if KernelText.equals(bytes, key, "pgmajfault") {
                majorFaults = value
            }
        }
        guard let anon, let file, let kernel, let shmem, let slabReclaimable, let slabUnreclaimable
        else { return nil }
        var stat = MemoryStat(
            anon: anon, file: file, kernel: kernel, shmem: shmem, slabReclaimable: slabReclaimable,
            slabUnreclaimable: slabUnreclaimable)
        stat.sock = sock
        stat.fileMapped = fileMapped
        stat.fileDirty = fileDirty
        stat.kernelStack = kernelStack
        stat.pagetables = pagetables
        stat.faults = faults
        stat.majorFaults = majorFaults
        return stat
    }
}

/// `cpu.stat`: the CPU time of a cgroup, its descendants included, in microseconds.
///
/// Time is there in every cgroup; throttling only where the cpu controller is enabled.
public struct CPUStat: Hashable, Sendable, KernelFormatted {
    /// User and system time together.
    public var usageMicroseconds: UInt64
    /// Time in user space.
    public var userMicroseconds: UInt64
    /// Time in the kernel.
    public var systemMicroseconds: UInt64
    /// Periods of `cpu.max` that passed. `nil` without the cpu controller.
    public var periods: UInt64?
    /// Periods in which the cgroup used up its quota. `nil` without the cpu controller.
    public var throttledPeriods: UInt64?
    /// Time it stood still for that. `nil` without the cpu controller.
    public var throttledMicroseconds: UInt64?

    /// These times, without throttling.
    public init(usageMicroseconds: UInt64, userMicroseconds: UInt64, systemMicroseconds: UInt64) {
        self.usageMicroseconds = usageMicroseconds
        self.userMicroseconds = userMicroseconds
        self.systemMicroseconds = systemMicroseconds
    }

    /// Reads the file's bytes. Unknown keys are passed over; `nil` if a time is missing.
    public static func parse(_ bytes: Span<UInt8>) -> CPUStat? {
        var usage, user, system, periods, throttledPeriods, throttled: UInt64?
        KernelText.forEachPair(bytes) { key, value in
            if KernelText.equals(bytes, key, "usage_usec") {
                usage = value
            } else if KernelText.equals(bytes, key, "user_usec") {
                user = value
            } else if KernelText.equals(bytes, key, "system_usec") {
                system = value
            } else if KernelText.equals(bytes, key, "nr_periods") {
                periods = value
            } else if KernelText.equals(bytes, key, "nr_throttled") {
                throttledPeriods = value
            } else if KernelText.equals(bytes, key, "throttled_usec") {
                throttled = value
            }
        }
        guard let usage, let user, let system else { return nil }
        var stat = CPUStat(usageMicroseconds: usage, userMicroseconds: user, systemMicroseconds: system)
        stat.periods = periods
        stat.throttledPeriods = throttledPeriods
        stat.throttledMicroseconds = throttled
        return stat
    }
}

/// `cgroup.events`: whether a cgroup or one beneath it holds a process, and whether it is frozen.
public struct CgroupEvents: Hashable, Sendable, KernelFormatted {
    /// A process that is not a zombie is in it or beneath it.
    public var populated: Bool
    /// `cgroup.freeze` has taken effect.
    public var frozen: Bool

    /// Events of these values.
    public init(populated: Bool, frozen: Bool) {
        self.populated = populated
        self.frozen = frozen
    }

    /// Reads the file's bytes. Unknown keys are passed over; `nil` if one of the two is missing.
    public static func parse(_ bytes: Span<UInt8>) -> CgroupEvents? {
        var populated, frozen: UInt64?
        KernelText.forEachPair(bytes) { key, value in
            if KernelText.equals(bytes, key, "populated") {
                populated = value
            } else if KernelText.equals(bytes, key, "frozen") {
                frozen = value
            }
        }
        guard let populated, let frozen else { return nil }
        return CgroupEvents(populated: populated != 0, frozen: frozen != 0)
    }
}

/// `pids.events`: how often `pids.max` was met, since the cgroup was made.
public struct PidsEvents: Hashable, Sendable, KernelFormatted {
    /// Forks that failed for a limit: up to Linux 6.10 this cgroup's own, later also those beneath it.
    public var max: UInt64

    /// Events of this value.
    public init(max: UInt64) { self.max = max }

    /// Reads the file's bytes. Unknown keys are passed over; `nil` if `max` is missing.
    public static func parse(_ bytes: Span<UInt8>) -> PidsEvents? {
        var max: UInt64?
        KernelText.forEachPair(bytes) { key, value in
            if KernelText.equals(bytes, key, "max") { max = value }
        }
        return max.map { PidsEvents(max: $0) }
    }
}

/// `cgroup.stat`: how many cgroups are beneath this one.
public struct CgroupStat: Hashable, Sendable, KernelFormatted {
    /// Cgroups beneath this one.
    public var descendants: UInt64
    /// Cgroups that were removed and still hold memory, such as page cache that nobody has reclaimed.
    public var dyingDescendants: UInt64

    /// These numbers of cgroups.
    public init(descendants: UInt64, dyingDescendants: UInt64) {
        self.descendants = descendants
        self.dyingDescendants = dyingDescendants
    }

    /// Reads the file's bytes. Unknown keys are passed over; `nil` if one of the two is missing.
    public static func parse(_ bytes: Span<UInt8>) -> CgroupStat? {
        var descendants, dying: UInt64?
        KernelText.forEachPair(bytes) { key, value in
            if KernelText.equals(bytes, key, "nr_descendants") {
                descendants = value
            } else if KernelText.equals(bytes, key, "nr_dying_descendants") {
                dying = value
            }
        }
        guard let descendants, let dying else { return nil }
        return CgroupStat(descendants: descendants, dyingDescendants: dying)
    }
}
