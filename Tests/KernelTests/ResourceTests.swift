import Glibc
import SupervisorHarness
import Testing

extension Kernel {
    /// CPU time, I/O and processes: enforced, changed while the workers live, and refused where they cannot be had.
    @Suite(.serialized) struct Resources {
        /// A disk that is not the machine's own: the guest's.
        private func disk() throws -> (path: String, number: String) {
            let names = try #require(TextFile.names(in: "/sys/block"))
            let known = ["ubda", "vda", "sda", "nvme0n1"] + names.sorted()
            let name = try #require(known.first { names.contains($0) }, "there is no block device")
            let number = try #require(TextFile.read("/sys/block/\(name)/dev"))
            return ("/dev/\(name)", String(number.dropLast()))
        }

        @Test func theKernelHasWhatWasAsked() throws {
            let disk = try disk()
            let launch = Launch(
                [
                    "--cpu-max", "1.5", "--cpu-weight", "50", "--io-max", "\(disk.path),rbps=2M",
                    "--io-max", "\(disk.number) wiops=120",
                ], command: try TestWorker.command("sleep"))
            try supervise(launch) { supervisor in
                let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                let expected = [
                    "cpu.max": "150000 100000", "cpu.weight": "50",
                    "io.max": "\(disk.number) rbps=2097152 wbps=max riops=max wiops=120",
                ]
                for (file, value) in expected { #expect(try contents(leaf, file) == value, "\(file)") }
            }
        }

        @Test func aSpinningWorkerIsThrottled() throws {
            let launch = Launch(["--cpu-max", "0.1"], command: try TestWorker.command("spin"))
            try supervise(launch) { supervisor in
                let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                try supervisor.waitUntil("it is throttled three times") {
                    let line = TextFile.read("\(leaf)/cpu.stat")?.split(separator: "\n").first {
                        $0.hasPrefix("nr_throttled ")
                    }
                    return line.flatMap { Int($0.split(separator: " ")[1]) } ?? 0 >= 3
                }
                // Nobody waits for it, neither for its start nor for its end.
                let client = try ControlCaller(ControlCaller.path(supervisor.name))
                client.call("GetStatus")
                #expect(try client.receive()?["parameters"]?["state"]?.text == "ready")
            }
        }

        /// A start that is throttled holds up no other: it is waited for, but not by the loop.
        @Test func aStartWithACPULimitIsNotWaitedFor() throws {
            try withConfiguration("cpu-max: 0.01", "", command: "sleep") { supervisor in
                let slow = try supervisor.waitFor("worker_started") { $0.group == "a" }
                let quick = try supervisor.waitFor("worker_started") { $0.group == "b" }
                #expect(quick.position < slow.position)
            }
        }

        /// Where exec fails, the end of the child is not waited for either.
        @Test func aProgramThatCannotRunIsSaidToBeOneUnderACPULimit() throws {
            let scratch = try Scratch()
            let program = try scratch.makeProgram("worker", "#!/no/such/interpreter\n")
            try supervise(Launch(["--cpu-max", "0.01"], command: [program])) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "start_failed" && end.message.contains(program), "\(end.message)")
                #expect(try supervisor.waitForExit() == .code(1))
            }
        }

        @Test func readingADiskIsHeldToItsLimit() throws {
            let disk = try disk()
            let launch = Launch(
                ["--io-max", "\(disk.path),rbps=1M"],
                command: try TestWorker.command("read-device", disk.path, "3M"))
            try supervise(launch) { supervisor in
                let line = try supervisor.waitForOutput { $0.hasPrefix("read ") }
                let milliseconds = try #require(Int(line.dropFirst("read ".count)))
                // At a megabyte a second, the first slice of it for nothing.
                #expect(milliseconds >= 2000, "\(milliseconds)")
            }
        }

        /// It stays inside, wakes nobody any more once it is told of, and is counted to its end.
        @Test func aForkBombStaysInsideAndIsToldOfOnce() throws {
            let launch = Launch(["--pids-max", "9"], command: try TestWorker.command("fork-bomb"))
            try supervise(launch) { supervisor in
                let told = try supervisor.waitFor("worker_pids_limit")
                #expect(told.level == "warning" && told.other["pids_limit"]?.integer == 9)
                #expect(told.other["pids_scope"]?.text == "worker")
                let first = try #require(told.other["pids_refusals"]?.integer)
                #expect(told.message.contains("it may have 9 (pids.max)"), "\(told.message)")
                let started = try supervisor.waitFor("worker_started")
                #expect(started.position < told.position)
                let leaf = try supervisor.directory(of: started)
                try supervisor.waitUntil("it is refused a thousand more") {
                    refusals(leaf) > UInt64(first) + 1000
                }
                #expect(Cgroupfs.processes(in: leaf).count <= 9)
                // It goes on, and is not heard.
                let turns = try #require(switches(supervisor.pid))
                let before = refusals(leaf)
                try supervisor.waitUntil("it is refused a thousand more") { refusals(leaf) > before + 1000 }
                #expect(try #require(switches(supervisor.pid)) <= turns + 2)
                #expect(try supervisor.stop() == .code(0))
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.other["pids_refusals"]?.integer ?? 0 > first + 2000)
                #expect(supervisor.lines.filter { $0.event == "worker_pids_limit" }.count == 1)
            }
        }

        /// Its cgroup is gone before the kernel's word of it comes.
        @Test func aRefusalIsToldThoughTheWorkerEndsAtOnce() throws {
            let launch = Launch(
                ["--pids-max", "1", "--backoff-initial", "0.01"],
                command: ["/bin/sh", "-c", "/bin/true; exit 3"])
            try supervise(launch) { supervisor in
                for incarnation in 1...3 {
                    let told = try supervisor.waitFor("worker_pids_limit") { $0.incarnation == incarnation }
                    let end = try supervisor.waitFor("worker_exited") { $0.incarnation == incarnation }
                    #expect(told.position < end.position)
                    #expect(end.other["pids_refusals"]?.integer ?? 0 >= 1)
                }
            }
        }

        @Test func aRefusalAtAnAncestorsLimitIsToldFromOneAtItsOwn() throws {
            let launch = Launch(["--pids-max", "50"], command: try TestWorker.command("fork-bomb"))
            try supervise(launch) { supervisor in
                let started = try supervisor.waitFor("worker_started")
                let leaf = try supervisor.directory(of: started)
                let group = leaf.split(separator: "/").dropLast().map { "/" + $0 }.joined()
                try #require(TextFile.write("20", to: "\(group)/pids.max") == 0)
                let own = try supervisor.waitFor("worker_pids_limit")
                // Which of the two it met first is chance; the next one meets the group's.
                try #require(kill(try #require(started.pid), SIGKILL) == 0)
                let told = try supervisor.waitFor("worker_pids_limit", from: own.position + 1)
                #expect(told.other["pids_scope"]?.text == "ancestor", "\(told.message)")
                #expect(told.message.contains("a cgroup above it is full"), "\(told.message)")
            }
        }

        /// What a worker of the supervisor's own user could do, one of another cannot.
        @Test(arguments: ["root", "nobody"])
        func aWorkerOfAnotherUserCannotLiftItsLimits(_ user: String) throws {
            let script = """
                cd "$0$(sed -n s/^0:://p /proc/self/cgroup)" || exit 1
                for file in pids.max memory.max cpu.max; do
                    if (echo max >$file) 2>/dev/null; then echo "lifted $file"; else echo "held $file"; fi
                done
                if (echo $$ >../../supervisor/cgroup.procs) 2>/dev/null; then echo left; else echo stays; fi
                if mkdir below 2>/dev/null; then echo divides; else echo whole; fi
                if (echo 1 >../cgroup.kill) 2>/dev/null; then echo kills; else echo end; fi
                exec sleep 1000
                """
            let launch = Launch(
                ["--user", user, "--pids-max", "20", "--memory-max", "64M", "--cpu-max", "1"],
                command: ["/bin/sh", "-c", script, try Cgroupfs.mount().point])
            try supervise(launch) { supervisor in
                if user == "root" {
                    try supervisor.waitForOutput { $0 == "left" }
                    #expect(supervisor.outputLines.prefix(2) == ["lifted pids.max", "lifted memory.max"])
                    // Its last attempt is over: what it runs for one has left with it, and would outlive it for a moment.
                    try supervisor.waitForOutput { $0 == "kills" }
                    try #require(
                        kill(try #require(try supervisor.waitFor("worker_started").pid), SIGKILL) == 0)
                } else {
                    try supervisor.waitForOutput { $0 == "end" }
                    #expect(
                        supervisor.outputLines == [
                            "held pids.max", "held memory.max", "held cpu.max", "stays", "whole", "end",
                        ])
                }
            }
        }

        private func refusals(_ leaf: String) -> UInt64 {
            let text = TextFile.read("\(leaf)/pids.events") ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("max ") }
            return line.flatMap { UInt64($0.dropFirst(4)) } ?? 0
        }

        /// How often it has gone to sleep.
        private func switches(_ pid: Int32) -> Int? {
            ProcessFacts(pid).status("voluntary_ctxt_switches").flatMap { Int($0) }
        }

        /// Without the file, the option is refused: not every kernel was built with it.
        @Test func aWeightForIOIsEnforcedOrRefused() throws {
            let launch = Launch(["--io-weight", "50"], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                if access("\(supervisor.root)/io.weight", F_OK) == 0 {
                    let leaf = try supervisor.directory(of: try supervisor.waitFor("worker_started"))
                    #expect(try contents(leaf, "io.weight") == "default 50")
                    #expect(try supervisor.stop() == .code(0))
                } else {
                    #expect(try supervisor.waitForExit() == .code(69))
                    let said = supervisor.strayLines.first ?? ""
                    #expect(said.contains("--io-weight needs the kernel's io.weight, which /"), "\(said)")
                }
                #expect(Cgroupfs.count(below: supervisor.root) == 0)
            }
        }

        /// Those that live get them at once, and stay; controllers that nothing needed before come with them, and what is
        /// left out the next time is lifted.
        @Test func aReloadChangesThemOnLivingWorkers() throws {
            let disk = try disk()
            try withConfiguration("", "pids-max: 9", command: "sleep") { supervisor, write in
                try supervisor.waitFor("supervisor_ready")
                let first = try supervisor.waitFor("worker_started") { $0.group == "a" }
                let a = try supervisor.directory(of: first)
                let b = try supervisor.directory(
                    of: try supervisor.waitFor("worker_started") { $0.group == "b" })
                #expect(try contents(b, "pids.max") == "9")
                func reload(_ count: Int, _ expected: [(leaf: String, file: String, value: String)]) throws {
                    supervisor.signal(SIGHUP)
                    #expect(try supervisor.waitFor(count, "supervisor_reloaded").last?.level == "info")
                    for (leaf, file, value) in expected {
                        #expect(try contents(leaf, file) == value, "\(leaf)/\(file)")
                    }
                    supervisor.readAvailable()
                    #expect(supervisor.lines.filter { $0.event == "worker_started" }.count == 2)
                }
                try write(
                    "pids-max: 5, cpu-max: 0.5, io-max: ['\(disk.number),wbps=2M']",
                    "cpu-weight: 8, io-max: ['\(disk.number) rbps=1M']")
                try reload(
                    1,
                    [
                        (a, "pids.max", "5"), (a, "cpu.max", "50000 100000"), (a, "cpu.weight", "100"),
                        (a, "io.max", "\(disk.number) rbps=max wbps=2097152 riops=max wiops=max"),
                        (b, "pids.max", "max"), (b, "cpu.weight", "8"),
                        (b, "io.max", "\(disk.number) rbps=1048576 wbps=max riops=max wiops=max"),
                    ])
                try write("cpu-max: 0.25", "")
                try reload(
                    2,
                    [
                        (a, "pids.max", "max"), (a, "cpu.max", "25000 100000"), (a, "io.max", ""),
                        (b, "cpu.weight", "100"), (b, "io.max", ""),
                    ])
                // The next one is started under them too.
                try #require(kill(try #require(first.pid), SIGKILL) == 0)
                let next = try supervisor.waitFor("worker_started", from: first.position + 1) {
                    $0.group == "a"
                }
                #expect(try contents(try supervisor.directory(of: next), "cpu.max") == "25000 100000")
            }
        }

        // MARK: Parts

        private func withConfiguration(
            _ a: String, _ b: String, command: String,
            _ body: (SupervisorProcess, (String, String) throws -> Void) throws -> Void
        ) throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-resources.yaml"
            defer { unlink(file) }
            let program = "command: ['\(try TestWorker.path())', \(command)]"
            func write(_ a: String, _ b: String) throws {
                let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                try #require(descriptor >= 0)
                close(descriptor)
                let groups = [("a", a), ("b", b)].map { name, limits in
                    "  \(name): {\(program)\(limits.isEmpty ? "" : ", \(limits)")}\n"
                }
                try #require(TextFile.write("groups:\n" + groups.joined(), to: file) == 0)
            }
            try write(a, b)
            try supervise(Launch(["--config", file])) { try body($0, write) }
        }

        private func withConfiguration(
            _ a: String, _ b: String, command: String, _ body: (SupervisorProcess) throws -> Void
        ) throws {
            try withConfiguration(a, b, command: command) { supervisor, _ in try body(supervisor) }
        }

        private func contents(_ leaf: String, _ file: String) throws -> String {
            let text = try #require(TextFile.read("\(leaf)/\(file)"), "\(file) is missing")
            return text.hasSuffix("\n") ? String(text.dropLast()) : text
        }
    }
}
