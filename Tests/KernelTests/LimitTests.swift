import Glibc
import SupervisorHarness
import Testing

/// The limits as the kernel has them, and whose limit it was.
extension Kernel {
    @Suite(.serialized) struct Limits {
        @Test func theKernelHasWhatWasAsked() throws {
            let launch = Launch(
                [
                    "--max-worker-memory-usage", "32M", "--memory-max", "64M", "--swap-max", "8M",
                    "--pids-max", "7",
                ], command: try TestWorker.command("sleep"))
            try supervise(launch) { supervisor in
                let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                let expected = [
                    "memory.high": "33554432", "memory.max": "67108864", "memory.swap.max": "8388608",
                    "pids.max": "7", "memory.oom.group": "1",
                ]
                for (file, value) in expected { #expect(try contents(leaf, file) == value, "\(file)") }
            }
        }

        @Test func withoutBeingAskedThereIsNoSwapAndNoOtherLimit() throws {
            let launch = Launch(["--memory-max", "64M"], command: try TestWorker.command("sleep"))
            try supervise(launch) { supervisor in
                let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                let expected = [
                    "memory.high": "max", "memory.max": "67108864", "memory.swap.max": "0",
                    "memory.oom.group": "1",
                ]
                for (file, value) in expected { #expect(try contents(leaf, file) == value, "\(file)") }
            }
        }

        /// The table for people says what the answer for machines says, and both what the worker has taken.
        @Test func theStatusShowsWhatAWorkerHolds() throws {
            let launch = Launch(
                ["--memory-max", "64M", "--pids-max", "20"],
                command: try TestWorker.command("allocate", "20M", "0", "hold"))
            try supervise(launch) { supervisor in
                try supervisor.waitForOutput { $0 == "allocated" }
                let json = try Tool.sergeantcg("status", "--json", "--name", supervisor.name)
                let report = try #require(JSONValue.parse(json.output.utf8), "\(json.output)")
                let memory = try #require(report["groups"]?[0]?["workers"]?[0]?["memory"])
                for name in ["current", "unreclaimable", "peak"] {
                    let bytes = try #require(memory[name]?.integer)
                    #expect((20 << 20...24 << 20).contains(bytes), "\(name) \(bytes)")
                }
                let metrics = try Tool.sergeantcg("metrics", "--name", supervisor.name).output
                func metric(_ name: String) -> Int? {
                    metrics.split(separator: "\n").first { $0.hasPrefix("sergeantcg_worker_\(name){") }
                        .flatMap { $0.split(separator: " ").last.flatMap { Int($0) } }
                }
                #expect(metric("memory_max_bytes") == 64 << 20, "\(metrics)")
                for name in ["memory_bytes", "memory_unreclaimable_bytes", "memory_peak_bytes"] {
                    let bytes = try #require(metric(name), "\(name): \(metrics)")
                    #expect((20 << 20...24 << 20).contains(bytes), "\(name) \(bytes)")
                }
                #expect(metric("processes") == 1)
                let table = try Tool.sergeantcg("status", "--name", supervisor.name).output
                let row = try #require(table.split(separator: "\n").last).split(separator: " ")
                #expect(row.count == 7, "\(table)")
                for cell in row[3...4] {
                    let mebibytes = try #require(Double(cell.dropLast()), "\(table)")
                    #expect(cell.hasSuffix("M") && (20.0...24.0).contains(mebibytes), "\(table)")
                }
            }
        }

        @Test func aWorkerWithoutLimitsIsAccounted() throws {
            let launch = Launch([], command: try TestWorker.command("exit", "0", "1200"))
            try supervise(launch) { supervisor in
                let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                for file in ["memory.high", "memory.max", "memory.swap.max"] {
                    #expect(try contents(leaf, file) == "max", "\(file)")
                }
                // `supervise` sees to its memory_peak and cpu_usage_usec.
                try supervisor.waitFor("worker_exited")
            }
        }

        @Test func thePidsLimitHolds() throws {
            let launch = Launch(["--pids-max", "5"], command: try TestWorker.command("fork-many", "20"))
            try supervise(launch) { supervisor in
                try supervisor.waitForOutput { $0 == "forked 4 \(EAGAIN)" }
            }
        }

        /// Below 16 MiB a start could be throttled, and the supervisor must not wait for it.
        @Test(arguments: [
            ["--memory-max", "4M"], ["--max-worker-memory-usage", "2M"], ["--memory-max", "1M"],
        ])
        func aSmallWorkerRunsAndIsReplaced(_ options: [String]) throws {
            let launch = Launch(
                options + ["--backoff-initial", "10ms"], command: try TestWorker.command("sleep"))
            try supervise(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let first = try supervisor.waitFor("worker_started")
                try #require(kill(try #require(first.pid), SIGKILL) == 0)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "crashed")
                try supervisor.waitFor("worker_started", from: end.position)
            }
        }

        /// Its file is there, so only exec can tell.
        @Test func aSmallWorkerThatCannotBeExecutedIsSaidToBeOne() throws {
            let scratch = try Scratch()
            let program = try scratch.makeProgram("worker", "#!/no/such/interpreter\n")
            try supervise(Launch(["--memory-max", "4M"], command: [program])) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "start_failed")
                #expect(end.message.contains("could not start worker-1"), "\(end.message)")
                #expect(end.message.contains(program), "\(end.message)")
                try supervisor.waitFor("group_failed")
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
            }
        }

        @Test func aKillAtAnAncestorsLimitIsToldFromOneAtItsOwn() throws {
            let launch = Launch(
                ["--memory-max", "400M", "--backoff-initial", "10s"],
                command: try TestWorker.command("breed", "300M", "child"))
            try supervise(launch) { supervisor in
                // As a container's: above the supervisor and its workers.
                try #require(TextFile.write("100M", to: "\(supervisor.root)/memory.max") == 0)
                let oom = try supervisor.waitFor("worker_oom")
                #expect(oom.oomScope == "ancestor")
                // The victim counts again in the kill of its group.
                #expect(try #require(oom.oomKills) >= 2)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "oom_killed")
            }
        }

        /// Not even the first start is given up for it.
        @Test func aStartAtThePidsLimitOfAnAncestorIsTriedAgain() throws {
            try withOwnDirectory { root in
                try #require(TextFile.write("0", to: "\(root)/pids.max") == 0)
                var launch = Launch(
                    ["--backoff-initial", "50ms", "--backoff-max", "50ms", "--cgroup", root],
                    command: try TestWorker.command("sleep"))
                launch.place = .inherited
                try withSupervisor(launch) { supervisor in
                    let failures = try supervisor.waitFor(3, "worker_exited") { $0.reason == "start_failed" }
                    for failure in failures {
                        #expect(
                            failure.message.contains("could not start TestWorker-1"), "\(failure.message)")
                        #expect(failure.message.contains("EAGAIN"), "\(failure.message)")
                        #expect(failure.message.contains("pids.max"), "\(failure.message)")
                    }
                    try supervisor.waitFor(3, "worker_backoff")
                    try #require(TextFile.write("max", to: "\(root)/pids.max") == 0)
                    try supervisor.waitFor("worker_started", from: failures[2].position)
                    try supervisor.waitFor("supervisor_ready")
                    let status = try supervisor.stop()
                    #expect(status == .code(0))
                    #expect(Cgroupfs.count(below: root) == 0)
                }
            }
        }

        private func contents(_ leaf: String, _ file: String) throws -> String {
            String(try #require(TextFile.read("\(leaf)/\(file)"), "\(file) is missing").dropLast())
        }
    }
}
