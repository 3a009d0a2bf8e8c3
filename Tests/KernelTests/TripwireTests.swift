import Glibc
import SupervisorHarness
import Testing

/// `memory.high` as a tripwire: page cache is no reason to recycle a worker, nor to wake for it again and again.
extension Kernel {
    @Suite(.serialized) struct Tripwire {
        /// Ten times the limit, from the page cache, for 30 seconds; SERGEANTCG_STREAM_SECONDS says another time.
        @Test func aWorkerThatStreamsFilesIsLeftAlone() throws {
            let patience = getenv("SERGEANTCG_STREAM_SECONDS").flatMap { Int(String(cString: $0)) } ?? 30
            let launch = Launch(
                ["--max-worker-memory-usage", "32M", "--log-level", "debug"],
                command: try TestWorker.command("stream", try diskDirectory(), "320M", "0M"))
            try supervise(launch) { supervisor in
                let start = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: start)
                // The first round fills the cache, the second finds it full.
                try supervisor.waitForOutput(within: .seconds(120)) { $0 == "round 2" }
                let alarms = supervisor.lines.count { $0.event == "worker_memory_alarm" }
                #expect(alarms > 0 && alarms < 30, "\(alarms) alarms while the cache grew")

                let end = ContinuousClock.now + .seconds(patience)
                var rounds = 0
                try supervisor.waitForOutput(
                    from: supervisor.outputLines.count, within: .seconds(patience + 60)
                ) { _ in
                    rounds += 1
                    return ContinuousClock.now >= end
                }
                supervisor.readAvailable()
                let later = supervisor.lines.count { $0.event == "worker_memory_alarm" } - alarms
                #expect(later == 0, "\(later) alarms once the cache was warm, in \(rounds) rounds")
                #expect(!supervisor.lines.contains { $0.event == "worker_memory_limit" })
                // It keeps its cache.
                let current = TextFile.read("\(leaf)/memory.current").flatMap { UInt64($0.dropLast()) }
                #expect(try #require(current) > 320 * mebibyte)
            }
        }

        @Test func aWorkerThatStreamsAndLeaksIsRecycledForItsLeak() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "64M", "--log-level", "debug"],
                command: try TestWorker.command("stream", try diskDirectory(), "320M", "1M"))
            try supervise(launch) { supervisor in
                let limit = try supervisor.waitFor("worker_memory_limit", within: .seconds(120))
                let held = try #require(limit.memoryUnreclaimable)
                let distance = abs(Int64(held) - Int64(64 * mebibyte))
                #expect(distance < 1_500_000, "recycled at \(held)")
                // Its cache is no part of it.
                #expect(try #require(limit.memoryCurrent) > 300 * mebibyte)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
                let alarms = supervisor.lines[..<limit.position].count { $0.event == "worker_memory_alarm" }
                #expect(alarms < 60, "\(alarms) alarms")
            }
        }

        /// The one way round a wire that was moved for page cache: the cache goes, and memory of the worker's
        /// own takes its place. The kernel says nothing then, the shared tick sees it.
        @Test func memoryThatTakesThePlaceOfCacheIsSeen() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "32M", "--log-level", "debug"],
                command: try TestWorker.command("trade-cache", try diskDirectory(), "320M", "40M"))
            try supervise(launch) { supervisor in
                let limit = try supervisor.waitFor("worker_memory_limit")
                #expect(try #require(limit.memoryUnreclaimable) > 32 * mebibyte)
                // The wire was far above.
                #expect(try #require(limit.memoryCurrent) < 100 * mebibyte)
                let alarms = supervisor.lines[..<limit.position].filter { $0.event == "worker_memory_alarm" }
                guard case .integer(let wire)? = alarms.last?.other["wire"] else {
                    Issue.record("no alarm said where the wire is")
                    return
                }
                #expect(wire > Int64(300 * mebibyte))
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
            }
        }

        /// At `memory.max` the page cache raises events without end.
        @Test func cacheThatFillsTheHardLimitDoesNotKeepTheSupervisorAwake() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "32M", "--memory-max", "64M", "--log-level", "debug"],
                command: try TestWorker.command("stream", try diskDirectory(), "320M", "1M"))
            try supervise(launch) { supervisor in
                // The leak is found all the same, before the kernel has to kill for it.
                let limit = try supervisor.waitFor("worker_memory_limit", within: .seconds(120))
                #expect(try #require(limit.memoryUnreclaimable) < 64 * mebibyte)
                let alarms = supervisor.lines[..<limit.position].count { $0.event == "worker_memory_alarm" }
                #expect(alarms < 60, "\(alarms) alarms")
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
            }
        }

        /// Above `memory.high` the same way out takes half a minute.
        @Test func theWireIsLiftedBeforeTheStopSignal() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "40M"],
                command: try TestWorker.command("hold", "50M", "clean-up", "0", "4M"))
            try supervise(launch) { supervisor in
                let stopping = try supervisor.waitFor("worker_stopping")
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
                #expect(end.exitCode == 0)
                let way = try seconds(from: stopping, to: end)
                #expect(way < 2, "its way out took \(way) s")
            }
        }

        /// The way out has room, and no more than a bounded room.
        @Test func aWorkerOnItsWayOutIsBounded() throws {
            let launch = Launch(
                ["--max-worker-memory-usage", "40M"],
                command: try TestWorker.command("hold", "50M", "clean-up", "0", "400M"))
            try supervise(launch) { supervisor in
                let limit = try supervisor.waitFor("worker_memory_limit")
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "memory_limit")
                #expect(end.signal == SIGKILL)
                #expect(end.oomKills ?? 0 > 0)
                let current = try #require(limit.memoryCurrent)
                #expect(try #require(end.memoryPeak) <= current + max(current / 4, 16 * mebibyte))
            }
        }
    }
}
