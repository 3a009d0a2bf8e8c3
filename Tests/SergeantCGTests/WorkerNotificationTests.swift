import SergeantCG
import Supervision
import Testing

@Suite struct WorkerNotifications {
    private func read(_ text: String) -> WorkerNotification { WorkerNotification(Array(text.utf8)) }

    @Test func whatItSaysInTheOrderOfItsLines() {
        let said = read("READY=1\nSTATUS=serving\nWATCHDOG_USEC=2000000\nWATCHDOG=1\n")
        #expect(said.inputs == [.ready, .watchdogInterval(.seconds(2)), .alive])
        #expect(said.status == "serving")
        #expect(said.faults == 0)
        #expect(
            read("STOPPING=1\nEXTEND_TIMEOUT_USEC=1500").inputs == [.leaving, .extended(.microseconds(1500))])
        #expect(read("WATCHDOG=trigger").inputs == [.broken])
    }

    @Test func whatIsNotForUsIsLeftAlone() {
        let said = read("MAINPID=1\nFDSTORE=1\nFDNAME=a\nX_OWN=b=c\nERRNO=2\nRELOADING=1")
        #expect(said.inputs.isEmpty)
        #expect(said.faults == 0)
    }

    @Test func aBarrierStandsAlone() {
        #expect(read("BARRIER=1").isBarrier)
        #expect(read("BARRIER=1\n").isBarrier)
        #expect(!read("BARRIER=1\nREADY=1").isBarrier)
        #expect(!read("BARRIER=0").isBarrier)
    }

    @Test(arguments: [
        "", "READY", "=1", "READY=2", "READY=1 ", "WATCHDOG=", "WATCHDOG_USEC=", "WATCHDOG_USEC=-1",
        "WATCHDOG_USEC=1e9", "EXTEND_TIMEOUT_USEC=0x10", "\0", "READY=1\0",
    ])
    func garbageIsCountedAndMeansNothing(text: String) {
        let said = read(text)
        #expect(said.inputs.isEmpty)
        #expect(said.faults == 1)
    }

    @Test func aHugeNumberIsACenturyAndOneOfMoreThan64BitsIsNone() {
        let century = Duration.seconds(100 * 365 * 86400)
        #expect(
            read("WATCHDOG_USEC=18446744073709551615").inputs == [.watchdogInterval(century)])
        for text in ["18446744073709551616", String(repeating: "9", count: 4000)] {
            let said = read("EXTEND_TIMEOUT_USEC=\(text)")
            #expect(said.inputs.isEmpty && said.faults == 1)
        }
    }

    @Test func aLongDatagramIsReadToItsBoundOnly() {
        let said = read("READY=1\n" + String(repeating: "WATCHDOG=1\n", count: 6000))
        #expect(said.inputs.first == .ready)
        #expect(said.inputs.count <= WorkerNotification.mostBytes / 8)
        #expect(said.faults == 1)
        #expect(read(String(repeating: "a", count: 65536)).inputs.isEmpty)
    }

    @Test func aStatusIsOneBoundedLineOfText() {
        #expect(read("STATUS=a\u{1B}[31m\tb\u{85}c").status == "a [31m b c")
        #expect(read("STATUS=" + String(repeating: "é", count: 1000)).status?.utf8.count == 512)
        #expect(read("STATUS=").status == "")
        let said = WorkerNotification(Array("STATUS=".utf8) + [0xFF, 0xFE])
        #expect(said.status == nil)
        #expect(said.faults == 1)
    }

    @Test func anyBytesAreRead() {
        var random = SplitMix64(seed: 7)
        let words = ["READY=1", "STATUS=", "WATCHDOG_USEC=", "BARRIER=1", "\n", "=", "\0", "9"].map {
            Array($0.utf8)
        }
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<(random.next() % 12) {
                if random.next() % 3 == 0 {
                    bytes.append(UInt8(truncatingIfNeeded: random.next()))
                } else {
                    bytes += words[Int(random.next() % UInt64(words.count))]
                }
            }
            let said = WorkerNotification(bytes)
            #expect(said.inputs.count <= bytes.count)
            #expect(said.status?.utf8.count ?? 0 <= WorkerNotification.mostStatusBytes)
        }
    }
}
