import CgroupKit
import Testing

/// What the kernel writes into a cgroup's files, read from text that real kernels wrote.
@Suite struct FormatTests {
    @Test(arguments: [
        ("max\n", Limit.max), ("max", .max), ("0\n", .bytes(0)), ("4096\n", .bytes(4096)),
        ("18446744073709551615\n", .bytes(.max)),
    ])
    func aLimitIsRead(text: String, limit: Limit) {
        #expect(Limit.parse(Array(text.utf8)) == limit)
        #expect(Limit.parse(Array(limit.description.utf8)) == limit)
    }

    @Test(arguments: [
        "", "\n", "-1", "maximum", "mx", "1 2", "0x10", "18446744073709551616", "99999999999999999999999",
        "１",
    ])
    func whatIsNoLimitIsNone(text: String) {
        #expect(Limit.parse(Array(text.utf8)) == nil)
        #expect(CountLimit.parse(Array(text.utf8)) == nil)
    }

    @Test func aCountLimitIsRead() {
        #expect(CountLimit.parse(Array("max\n".utf8)) == .max)
        #expect(CountLimit.parse(Array("42\n".utf8)) == .count(42))
        #expect(CountLimit.count(42).description == "42")
        #expect(CountLimit.max.description == "max")
    }

    @Test func aCPULimitIsRead() {
        #expect(CPULimit.parse(Array("max 100000\n".utf8)) == .max)
        #expect(
            CPULimit.parse(Array("150000 100000\n".utf8)) == .quota(microseconds: 150_000, period: 100_000))
        #expect(CPULimit.quota(microseconds: 150_000, period: 100_000).description == "150000 100000")
        for text in ["", "max", "100000", "max max", "1 2 3", "max -1"] {
            #expect(CPULimit.parse(Array(text.utf8)) == nil)
        }
    }

    @Test func memoryEventsAreRead() {
        let text = "low 1\nhigh 542\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n"
        #expect(
            MemoryEvents.parse(Array(text.utf8))
                == MemoryEvents(low: 1, high: 542, max: 3, oom: 4, oomKill: 5, oomGroupKill: 6))
    }

    @Test(arguments: ["low", "high", "max", "oom", "oom_kill", "oom_group_kill"])
    func aMissingCounterIsNotZero(key: String) {
        let all = ["low 1", "high 542", "max 3", "oom 4", "oom_kill 5", "oom_group_kill 6"]
        let text = all.filter { !$0.hasPrefix("\(key) ") }.joined(separator: "\n")
        #expect(MemoryEvents.parse(Array(text.utf8)) == nil)
    }

    @Test func memoryStatIsRead() throws {
        let text = """
            anon 8192000
            file 29360128
            kernel 1048576
            kernel_stack 65536
            pagetables 131072
            sock 4096
            shmem 12288
            file_mapped 0
            file_dirty 40960
            slab_reclaimable 524288
            slab_unreclaimable 262144
            slab 786432
            pgfault 4242
            pgmajfault 7
            a_key_of_the_future 1
            """
        let stat = try #require(MemoryStat.parse(Array(text.utf8)))
        #expect(stat.anon == 8_192_000)
        #expect(stat.file == 29_360_128)
        #expect(stat.kernel == 1_048_576)
        #expect(stat.shmem == 12_288)
        #expect(stat.slabReclaimable == 524_288)
        #expect(stat.slabUnreclaimable == 262_144)
        #expect(stat.kernelStack == 65_536)
        #expect(stat.pagetables == 131_072)
        #expect(stat.sock == 4096)
        #expect(stat.fileMapped == 0)
        #expect(stat.faults == 4242)
        #expect(stat.fileDirty == 40_960)
        #expect(stat.majorFaults == 7)
        // Page cache counts for nothing; slab that can be taken back is taken off.
        #expect(stat.unreclaimable == 8_192_000 + 12_288 + 1_048_576 - 524_288)
    }

    @Test func whatAnOlderKernelDoesNotTellIsNone() throws {
        let text = "anon 1\nfile 2\nkernel 3\nshmem 4\nslab_reclaimable 5\nslab_unreclaimable 6\n"
        let stat = try #require(MemoryStat.parse(Array(text.utf8)))
        #expect(stat.sock == nil)
        #expect(stat.majorFaults == nil)
        #expect(MemoryStat.parse(Array(text.dropFirst(7).utf8)) == nil)
    }

    @Test(
        arguments: [
            (0, 0, 0, 1, 0), (.max, 1, 0, 0, .max), (.max, 0, .max, 1, .max - 1), (5, 6, 7, 8, 10),
        ] as [(UInt64, UInt64, UInt64, UInt64, UInt64)])
    func unreclaimableStaysWithinBounds(
        anon: UInt64, shmem: UInt64, kernel: UInt64, reclaimable: UInt64, expected: UInt64
    ) {
        let stat = MemoryStat(
            anon: anon, file: 99, kernel: kernel, shmem: shmem, slabReclaimable: reclaimable,
            slabUnreclaimable: 99)
        #expect(stat.unreclaimable == expected)
    }

    @Test func cpuStatIsReadWithAndWithoutTheController() throws {
        let without = try #require(
            CPUStat.parse(Array("usage_usec 30\nuser_usec 20\nsystem_usec 10\nnice_usec 1\n".utf8)))
        #expect(without == CPUStat(usageMicroseconds: 30, userMicroseconds: 20, systemMicroseconds: 10))
        #expect(without.throttledMicroseconds == nil)
        let text = """
            usage_usec 30
            user_usec 20
            system_usec 10
            nr_periods 4
            nr_throttled 3
            throttled_usec 2
            nr_bursts 0
            burst_usec 0

            """
        let with = try #require(CPUStat.parse(Array(text.utf8)))
        #expect(with.periods == 4)
        #expect(with.throttledPeriods == 3)
        #expect(with.throttledMicroseconds == 2)
        #expect(CPUStat.parse(Array("usage_usec 30\n".utf8)) == nil)
    }

    @Test func eventsAreRead() {
        #expect(
            CgroupEvents.parse(Array("populated 1\nfrozen 0\n".utf8))
                == CgroupEvents(populated: true, frozen: false))
        #expect(
            CgroupEvents.parse(Array("frozen 1\npopulated 0\n".utf8))
                == CgroupEvents(populated: false, frozen: true))
        #expect(CgroupEvents.parse(Array("populated 1\n".utf8)) == nil)
        #expect(PidsEvents.parse(Array("max 12\n".utf8)) == PidsEvents(max: 12))
        #expect(PidsEvents.parse(Array("".utf8)) == nil)
        #expect(
            CgroupStat.parse(
                Array(
                    "nr_descendants 5\nnr_subsys_memory 6\nnr_dying_descendants 7\nnr_dying_subsys_memory 8\n"
                        .utf8))
                == CgroupStat(descendants: 5, dyingDescendants: 7))
    }

    @Test func pressureIsRead() throws {
        let text = """
            some avg10=1.50 avg60=0.25 avg300=12.00 total=123456
            full avg10=0.00 avg60=0.05 avg300=100.00 total=18446744073709551615

            """
        let pressure = try #require(Pressure.parse(Array(text.utf8)))
        #expect(
            pressure.some
                == .init(average10: 1.5, average60: 0.25, average300: 12, totalMicroseconds: 123_456))
        #expect(
            pressure.full == .init(average10: 0, average60: 0.05, average300: 100, totalMicroseconds: .max))
        let some = try #require(
            Pressure.parse(Array("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n".utf8)))
        #expect(some.full == nil)
        #expect(Pressure.parse(Array("some avg10=0.00 avg60=0.00 avg300=0.00\n".utf8)) == nil)
        #expect(Pressure.parse(Array("full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n".utf8)) == nil)
        #expect(Pressure.parse(Array("some avg10=. avg60=0.00 avg300=0.00 total=0\n".utf8)) == nil)
    }

    @Test func controllersAreRead() {
        let all = "cpuset cpu io memory hugetlb pids rdma misc dmem"
        let known = Controllers.parse(Array("\(all) future\n".utf8).span)
        #expect(known.description == all)
        #expect(Controllers.parse(Array("memory pids\n".utf8).span) == [.memory, .pids])
        #expect(Controllers.parse(Array("\n".utf8).span) == [])
        #expect(Controllers.parse(Array("cpusets cpu\n".utf8).span) == .cpu)
        #expect(Controllers(name: "memory") == .memory)
        #expect(Controllers(name: "memor") == nil)
    }

    @Test func processesAreRead() {
        #expect(Cgroup.processes(in: Array("1\n0\n4194304\n0\n1\n".utf8).span) == [1, 4_194_304, 1])
        #expect(Cgroup.processes(in: Array("99999999999\n-1\nx\n7".utf8).span) == [7])
    }

    @Test func ioIsSummedOverDevices() {
        let text = """
            8:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0
            254:0 rbytes=1 wbytes=18446744073709551615 rios=3 wios=4 new=5 odd
            259:1

            """
        let stat = IOStat.parse(Array(text.utf8))
        #expect(stat?.readBytes == 4097 && stat?.writtenBytes == .max)
        #expect(stat?.reads == 4 && stat?.writes == 6)
        #expect(IOStat.parse([]) == IOStat())
        #expect(IOStat.parse(Array("8:0 rbytes=x".utf8)) == nil)
    }
}
