import Glibc
import SupervisorHarness
import Testing

extension Kernel {
    /// Limits that another configuration brings.
    @Suite(.serialized) struct NewLimits {
        /// After a reload the kernel has them and the status tells of them, and the worker is the same.
        @Test func areTheKernelsAndTheStatussAfterAReload() throws {
            try withReloads(["sleep"], (32, 64)) { supervisor, reload in
                let started = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: started)
                for (recycle, hard) in [(32, 64), (48, 96), (24, 40)] {
                    if recycle != 32 { try reload((recycle, hard)) }
                    let client = try ControlCaller(ControlCaller.path(supervisor.name))
                    client.call("GetStatus")
                    let group = try #require(try client.receive()?["parameters"]?["groups"]?[0])
                    let worker = try #require(group["workers"]?[0], "\(group)")
                    #expect(worker["incarnation"]?.integer == 1)
                    #expect(worker["memory"]?["limit"]?.integer == Int64(recycle) << 20)
                    #expect(worker["memory"]?["max"]?.integer == Int64(hard) << 20)
                    try supervisor.waitUntil("memory.max is \(hard) MiB") {
                        TextFile.read("\(leaf)/memory.max") == "\(hard << 20)\n"
                    }
                    try supervisor.waitUntil("memory.high is \(recycle) MiB") {
                        TextFile.read("\(leaf)/memory.high") == "\(recycle << 20)\n"
                    }
                }
                #expect(kill(try #require(started.pid), 0) == 0)
            }
        }

        /// A worker that is above its new limit already, and will never charge another page, is noticed at once.
        @Test(arguments: [(32, 400), (100, 128)])
        func belowWhatIsInUseAreNoticedAtOnce(_ recycle: Int, _ hard: Int) throws {
            let (first, second) = hard == 400 ? ((200, 400), (recycle, hard)) : ((300, 400), (recycle, hard))
            try withReloads(["hold", "160M"], first) { supervisor, reload in
                try supervisor.waitForOutput { $0 == "holding" }
                try reload(second)
                let limit = try supervisor.waitFor("worker_memory_limit")
                #expect(limit.incarnation == 1)
                let end = try supervisor.waitFor("worker_exited") { $0.incarnation == 1 }
                #expect(end.reason == "memory_limit")
            }
        }

        /// A hard limit below the page cache is put into effect aside of the loop, and no worker dies of it.
        @Test func belowThePageCacheAreTakenOnWithoutADeath() throws {
            try withReloads(["stream", try diskDirectory(), "120M", "0M"], (200, 400)) {
                supervisor, reload in
                let started = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: started)
                func current() -> UInt64 {
                    UInt64((TextFile.read("\(leaf)/memory.current") ?? "0").dropLast()) ?? 0
                }
                try supervisor.waitUntil("its page cache is full") { current() > 100 << 20 }
                try reload((24, 40))
                try supervisor.waitUntil("memory.max is lowered") {
                    TextFile.read("\(leaf)/memory.max") == "\(40 << 20)\n" && current() <= 40 << 20
                }
                #expect(!supervisor.lines.contains { $0.event == "worker_exited" })
            }
        }

        /// A worker that had no limits is held to those that come, and one whose limits are left out has none, swap included.
        @Test func comeAndGoWhileAWorkerLives() throws {
            try withReloads(["hold", "8M"], nil) { supervisor, reload in
                try supervisor.waitForOutput { $0 == "holding" }
                let started = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: started)
                func expect(_ high: String, _ most: String, _ swap: String) throws {
                    for (file, value) in [("high", high), ("max", most), ("swap.max", swap)] {
                        try supervisor.waitUntil("memory.\(file) is \(value)") {
                            TextFile.read("\(leaf)/memory.\(file)") == "\(value)\n"
                        }
                    }
                }
                try expect("max", "max", "max")
                try reload((32, 64))
                try expect("\(32 << 20)", "\(64 << 20)", "0")
                try reload(nil)
                try expect("max", "max", "max")
                #expect(kill(try #require(started.pid), 0) == 0)
                // And an alarm is heard where none was before.
                try reload((4, 64))
                #expect(try supervisor.waitFor("worker_memory_limit").incarnation == 1)
            }
        }

        /// More of them at once than there are threads for it.
        @Test func belowThePageCacheOfManyAreTakenOnOneAfterTheOther() throws {
            let worker = try TestWorker.path()
            // A file of its own each, for its cache is charged to whoever reads it first.
            let size = "$((30 + SERGEANT_SLOT))M"
            let script = "exec '\(worker)' stream '\(try diskDirectory())' \(size) 0M"
            try withReloads(program: ["/bin/sh", "-c", script], workers: 6, (200, 400)) {
                supervisor, reload in
                let leaves = try supervisor.waitFor(6, "worker_started").map {
                    try supervisor.directory(of: $0)
                }
                for leaf in leaves {
                    try supervisor.waitUntil("the page cache is full") {
                        UInt64((TextFile.read("\(leaf)/memory.current") ?? "0").dropLast()) ?? 0 > 28 << 20
                    }
                }
                try reload((12, 16))
                for leaf in leaves {
                    try supervisor.waitUntil("memory.max is lowered") {
                        TextFile.read("\(leaf)/memory.max") == "\(16 << 20)\n"
                    }
                }
                #expect(!supervisor.lines.contains { $0.event == "worker_exited" })
            }
        }

        private func withReloads(
            _ command: [String], _ limits: (Int, Int)?,
            _ body: (SupervisorProcess, ((Int, Int)?) throws -> Void) throws -> Void
        ) throws {
            try withReloads(program: [try TestWorker.path()] + command, workers: 1, limits, body)
        }

        private func withReloads(
            program: [String], workers: Int, _ limits: (Int, Int)?,
            _ body: (SupervisorProcess, ((Int, Int)?) throws -> Void) throws -> Void
        ) throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-limits.yaml"
            defer { unlink(file) }
            let words = program.map { "\"\($0)\"" }.joined(separator: ", ")
            func write(_ limits: (Int, Int)?) throws {
                let given =
                    limits.map { ", max-worker-memory-usage: \($0.0)M, memory-max: \($0.1)M" } ?? ""
                let text =
                    "groups: {a: {command: [\(words)], concurrent-workers: \(workers)\(given)}}\n"
                unlink(file)
                let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
                try #require(descriptor >= 0)
                close(descriptor)
                try #require(TextFile.write(text, to: file) == 0)
            }
            try write(limits)
            try supervise(Launch(["--config", file])) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                var reloads = 0
                try body(supervisor) { limits in
                    try write(limits)
                    supervisor.signal(SIGHUP)
                    reloads += 1
                    #expect(try supervisor.waitFor(reloads, "supervisor_reloaded").last?.level == "info")
                }
            }
        }
    }
}
