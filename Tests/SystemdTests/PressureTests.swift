import SupervisorHarness
import Testing

/// Recycling on pressure stall information, which wants a kernel with PSI.
extension Systemd {
    @Suite(.serialized) struct MemoryPressure {
        /// A worker that reads again and again what was just taken from it stands still, though it is below its limits.
        @Test func aWorkerThatStandsStillIsRecycled() throws {
            let service = Service(
                ["--memory-max", "24M", "--memory-pressure", "0.1/2"],
                worker: ["stream", "/var/tmp", "160M", "0M"])
            // The worker would write the file itself, and be killed over pages that a slow disk does not take. Past the
            // page cache, for a page is charged to whoever brought it in.
            try Tool.mustRun([
                "dd", "if=/dev/zero", "of=/var/tmp/stream-\(160 << 20)", "bs=1M", "count=160", "oflag=direct",
            ])
            try withUnit(service) { unit, journal in
                try unit.start()
                let pressure = try journal.waitForLine("worker_memory_pressure")
                let end = try journal.waitForLine("worker_exited")
                #expect(end.reason == "memory_pressure")
                #expect(end.pid == pressure.pid)
                try journal.waitForLine("worker_started") { $0.incarnation == 2 }
            }
        }

        @Test func whatSwapMayBeCompressedIsTheKernels() throws {
            let service = Service(
                ["--memory-max", "64M", "--swap-max", "32M", "--zswap-max", "8M"], worker: ["sleep"])
            try withUnit(service) { unit, _ in
                try unit.start()
                let leaf = try unit.directory() + "/TestWorker/1.1"
                #expect(TextFile.read("\(leaf)/memory.zswap.max") == "\(8 << 20)\n")
                #expect(TextFile.read("\(leaf)/memory.swap.max") == "\(32 << 20)\n")
            }
        }

        /// One that does not is left alone, and no kernel thread is made for its trigger.
        @Test func aWorkerThatWorksIsLeftAlone() throws {
            let service = Service(
                ["--memory-max", "64M", "--memory-pressure", "0.1/2", "--max-lifetime", "4"],
                worker: ["sleep"])
            try withUnit(service) { unit, journal in
                // systemd may have triggers of its own.
                let before = try Tool.run(["pgrep", "-c", "psimon"]).output
                try unit.start()
                #expect(try Tool.run(["pgrep", "-c", "psimon"]).output == before)
                // Two windows have passed by then.
                #expect(try journal.waitForLine("worker_exited").reason == "lifetime")
            }
        }
    }
}
