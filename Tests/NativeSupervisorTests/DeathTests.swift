import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Deaths {
        /// 1,000 random kill -9 are told as such, 1,000 times, and nothing else is.
        @Test func everyKillIsToldAsOne() throws {
            let kills = 1000
            let launch = Launch(
                ["--concurrent-workers", "50", "--backoff-initial", "0.001", "--backoff-max", "0.01"],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                var random = SystemRandomNumberGenerator()
                var alive: Set<Int32> = []
                var killed: Set<Int32> = []
                var read = 0
                while killed.count < kills {
                    let batch = min(Int.random(in: 1...20, using: &random), kills - killed.count)
                    while alive.count < batch {
                        let line = try supervisor.waitFor("worker_started", from: read)
                        read = line.position + 1
                        alive.insert(try #require(line.pid))
                    }
                    for _ in 0..<batch {
                        let pid = try #require(alive.randomElement(using: &random))
                        alive.remove(pid)
                        killed.insert(pid)
                        #expect(kill(pid, SIGKILL) == 0)
                    }
                }
                let ends = try supervisor.waitFor(kills, "worker_exited")
                #expect(Set(ends.compactMap(\.pid)) == killed)
                #expect(
                    ends.allSatisfy { $0.reason == "crashed" && $0.signal == SIGKILL && $0.exitCode == nil })
                #expect(try supervisor.stop() == .code(0))
                let rest = supervisor.lines.filter { $0.event == "worker_exited" }.dropFirst(kills)
                #expect(rest.allSatisfy { $0.reason == "shutdown" })
                #expect(!supervisor.lines.contains { $0.event == "supervisor_trouble" })
                expectNothingLeft(supervisor)
            }
        }

        /// How a worker ends is told as it was, in upstream's words where upstream has some.
        @Test(
            arguments: [
                (["exit", "0"], "finished", 0, nil, "has finished successfully"),
                (["exit", "3"], "failed", 3, nil, "execution has been interrupted with return code: 3"),
                (
                    ["crash", "11"], "crashed", nil, 11,
                    "execution has been interrupted with return code: -11"
                ),
                (
                    ["crash", "15"], "crashed", nil, 15,
                    "execution has been interrupted with return code: -15"
                ),
            ] as [([String], String, Int32?, Int32?, String)])
        func anEndIsToldAsItWas(
            mode: [String], reason: String, code: Int32?, signal: Int32?, words: String
        ) throws {
            let launch = Launch([], command: [try TestWorker.path()] + mode)
            try withSupervisor(launch) { supervisor in
                let started = try supervisor.waitFor("worker_started")
                let ended = try supervisor.waitFor("worker_exited")
                #expect(started.message == "spawned a new worker at pid: \(started.pid ?? 0)")
                #expect(ended.pid == started.pid)
                #expect(ended.reason == reason)
                #expect(ended.exitCode == code)
                #expect(ended.signal == signal)
                #expect(ended.message.contains("worker(\(started.pid ?? 0)) \(words)"))
                #expect(ended.worker == "TestWorker-1" && ended.slot == 1 && ended.incarnation == 1)
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(
                    next.message == "worker(\(started.pid ?? 0)) was respawned as worker(\(next.pid ?? 0))")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// After 2,000 respawns it holds as many descriptors and cgroups as after 100, and its memory is within
        /// 5 %.
        @Test func respawnsLeakNothing() throws {
            let workers = 50
            let launch = Launch(
                [
                    "--concurrent-workers", "\(workers)", "--backoff-initial", "0.001", "--backoff-max",
                    "0.01",
                ],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                var alive = try supervisor.waitFor(workers, "worker_started").compactMap(\.pid)
                let facts = ProcessFacts(supervisor.pid)
                func replaceAll() throws {
                    let position = supervisor.lines.count
                    for pid in alive { #expect(kill(pid, SIGKILL) == 0) }
                    alive = try supervisor.waitFor(workers, "worker_started", from: position).compactMap(
                        \.pid)
                }
                func settled() throws -> (descriptors: [Int: String], cgroups: Int, memory: Int) {
                    // The group, the supervisor's leaf and one leaf a worker.
                    try supervisor.waitUntil("all that is gone is removed") {
                        Cgroupfs.count(below: supervisor.root) == workers + 2
                    }
                    return (
                        facts.descriptors, Cgroupfs.count(below: supervisor.root),
                        try #require(facts.privateDirtyKilobytes)
                    )
                }
                // So many that the supervisor remembers as many events as it ever will: four of each.
                for _ in 0..<8 { try replaceAll() }
                let before = try settled()
                for _ in 0..<38 { try replaceAll() }
                let after = try settled()
                #expect(after.descriptors.count == before.descriptors.count)
                #expect(after.cgroups == before.cgroups)
                print("private dirty kB after 400 respawns: \(before.memory), after 2300: \(after.memory)")
                #expect(
                    Sanitizer.isThere || Double(after.memory) <= Double(before.memory) * 1.05,
                    "private dirty \(before.memory) kB after 400 respawns, \(after.memory) kB after 2,300")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A worker that dies under a debugger cannot be reaped before that lets go: until then the supervisor sleeps.
        @Test func aTracedWorkersEndIsAwaited() throws {
            try withSupervisor(Launch([], command: try TestWorker.command("sleep"))) { supervisor in
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                func ticks() throws -> Int {
                    let stat = try #require(TextFile.read("/proc/\(supervisor.pid)/stat"))
                    let fields = try #require(stat.split(separator: ")").last).split(separator: " ")
                    return try #require(Int(fields[11])) + #require(Int(fields[12]))
                }
                let before = try ticks()
                // PTRACE_SEIZE; a second of a zombie that nobody reaps, then the tracer ends.
                let tracer = try Tool.run([
                    "python3", "-c",
                    "import ctypes,os,sys,time; pid=int(sys.argv[1]); "
                        + "assert ctypes.CDLL(None).ptrace(0x4206, pid, 0, 0) == 0; os.kill(pid, 9); time.sleep(1)",
                    "\(pid)",
                ])
                #expect(tracer.status == .code(0), "\(tracer.output)")
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.signal == SIGKILL)
                #expect(try ticks() - before < 20, "hundredths of a second")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
