import CgroupKit
import Testing

/// SplitMix64, so that a failure can be replayed from its seed.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Whatever the bytes, reading them neither traps nor hangs; and what can be read, was in them.
@Suite struct GarbageTests {
    private static let real: [String] = [
        "max 100000\n", "18446744073709551615\n",
        "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n",
        "anon 1\nfile 2\nkernel 3\nshmem 4\nslab_reclaimable 5\nslab_unreclaimable 6\n",
        "usage_usec 1\nuser_usec 2\nsystem_usec 3\nnr_periods 4\n", "populated 1\nfrozen 0\n",
        "some avg10=1.50 avg60=0.25 avg300=12.00 total=123456\nfull avg10=0.00 avg60=0.05 avg300=9.00 total=1\n",
        #"32 30 0:28 / /sys/fs/cgroup/uni\040fied rw,nosuid shared:9 - cgroup2 cgroup2 rw,ro"#, "0::/a/b\n",
        "4: FLOCK  ADVISORY  WRITE 14 00:1b:42 0 EOF\n", "cpuset cpu io memory\n",
        "nr_descendants 5\nnr_dying_descendants 7\n", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n",
    ]

    private func readAll(_ bytes: [UInt8]) {
        _ = Limit.parse(bytes)
        _ = CountLimit.parse(bytes)
        _ = CPULimit.parse(bytes)
        _ = MemoryEvents.parse(bytes)
        _ = MemoryStat.parse(bytes)?.unreclaimable
        _ = CPUStat.parse(bytes)
        _ = IOStat.parse(bytes)
        _ = CgroupEvents.parse(bytes)
        _ = PidsEvents.parse(bytes)
        _ = CgroupStat.parse(bytes)
        _ = Pressure.parse(bytes)
        _ = Controllers.parse(bytes.span).description
        for mount in Mount.parse(mountinfo: bytes) { _ = mount.directory(of: mount.root) }
        if let place = OwnPlace.parse(bytes) { #expect(place.hasPrefix("/")) }
        #expect(Cgroup.processes(in: bytes.span).allSatisfy { $0 > 0 })
        _ = Cgroup.holder(inLocks: bytes.span, device: 0x1b, inode: 42)
    }

    @Test func randomBytesAreRead() {
        var generator = Generator(state: 1)
        for _ in 1...20_000 {
            readAll(
                (0..<Int.random(in: 0...64, using: &generator)).map { _ in
                    .random(in: 0...255, using: &generator)
                })
        }
    }

    @Test func everyBeginningAndEndOfARealTextIsRead() {
        for text in Self.real {
            let bytes = Array(text.utf8)
            for length in 0...bytes.count {
                readAll(Array(bytes.prefix(length)))
                readAll(Array(bytes.suffix(length)))
            }
        }
    }

    @Test func realTextWithWrongBytesIsRead() {
        var generator = Generator(state: 2)
        let spoilers = Array("\n \t\\0123456789.=:-,/max\u{0}".utf8) + [0xff, 0x80]
        for _ in 1...20_000 {
            var bytes = Array(Self.real.randomElement(using: &generator)?.utf8 ?? "".utf8)
            for _ in 1...Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[place] = spoilers.randomElement(using: &generator) ?? 0
                case 1: bytes.insert(spoilers.randomElement(using: &generator) ?? 0, at: place)
                default: bytes.remove(at: place)
                }
            }
            readAll(bytes)
        }
    }
}
