import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// `--accounting FILE`: a line for each incarnation.
    @Suite(.serialized) struct Accounting {
        private static func withFile<Result>(_ body: (String) throws -> Result) throws -> Result {
            let path = "/tmp/sergeantcg-test-\(getpid())-account.jsonl"
            unlink(path)
            defer { for name in [path, path + ".1"] { unlink(name) } }
            return try body(path)
        }

        private static func lines(_ path: String) throws -> [JSONValue] {
            let text = try #require(TextFile.read(path))
            #expect(text.hasSuffix("\n"))
            return try text.split(separator: "\n").map { try #require(JSONValue.parse($0.utf8), "\($0)") }
        }

        /// Every incarnation has its line, with how it ended as the log says, and the time it computed.
        @Test func everyIncarnationHasItsLine() throws {
            try Self.withFile { path in
                let launch = Launch(
                    [
                        "--accounting", path, "--concurrent-workers", "2", "--backoff-initial", "0.01",
                        "--backoff-max", "0.01",
                    ], command: ["/bin/sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; exit 3"])
                try withSupervisor(launch) { supervisor in
                    try supervisor.waitFor(6, "worker_exited")
                    #expect(try supervisor.stop() == .code(0))
                    let ends = supervisor.lines.filter { $0.event == "worker_exited" }
                    let lines = try Self.lines(path)
                    #expect(lines.count == ends.count)
                    for end in ends {
                        let line = try #require(
                            lines.first { $0["pid"]?.integer == end.pid.map { Int64($0) } })
                        #expect(line["group"]?.text == end.group && line["worker"]?.text == end.worker)
                        #expect(line["slot"]?.integer == end.slot.map { Int64($0) })
                        #expect(line["incarnation"]?.integer == end.incarnation.map { Int64($0) })
                        #expect(line["reason"]?.text == end.reason)
                        #expect(line["exit_code"]?.integer == end.exitCode.map { Int64($0) })
                        #expect(line["signal"]?.integer == end.signal.map { Int64($0) })
                        let started = try #require(
                            line["started"]?.text.flatMap { WallClock.microseconds($0) })
                        let lifetime = try #require(line["lifetime_usec"]?.integer)
                        let ended = try #require(end.microseconds)
                        #expect(abs(started + lifetime - ended) < 1_000_000)
                        if end.reason == "failed" {
                            let user = try #require(line["cpu_user_usec"]?.integer)
                            let system = try #require(line["cpu_system_usec"]?.integer)
                            #expect(user > 1000 && user + system <= lifetime * 11 / 10 + 20_000, "\(line)")
                        }
                        #expect(line["memory_max"] == .null && line["memory_limit"] == .null)
                    }
                    expectNothingLeft(supervisor)
                }
            }
        }

        /// The time of a thousand incarnations together is what the kernel counted for their group.
        @Test func theSumIsTheGroups() throws {
            try Self.withFile { path in
                let file = path + ".1"
                let loop = "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done"
                try #require(
                    TextFile.write(
                        """
                        accounting: \(path)
                        groups:
                          computes: {command: [/bin/sh, -c, "\(loop)"], concurrent-workers: 1000, restart: never}
                          stays: {command: [/bin/sleep, "600"]}
                        """, to: file, creating: true) == 0)
                try withSupervisor(Launch(["--config", file])) { supervisor in
                    try supervisor.waitUntil("all are in the account") {
                        TextFile.read(path)?.split(separator: "\n").count == 1000
                    }
                    let stat = try #require(TextFile.read("\(supervisor.root)/computes/cpu.stat"))
                    let usage = try #require(
                        stat.split(separator: "\n").first { $0.hasPrefix("usage_usec ") }
                            .flatMap { Int64($0.dropFirst("usage_usec ".count)) })
                    let sum = try Self.lines(path).reduce(0) {
                        $0 + ($1["cpu_user_usec"]?.integer ?? 0) + ($1["cpu_system_usec"]?.integer ?? 0)
                    }
                    #expect(usage > 1_000_000 && abs(sum - usage) * 100 <= usage, "\(sum) of \(usage)")
                    #expect(try supervisor.stop() == .code(0))
                    expectNothingLeft(supervisor)
                }
            }
        }

        /// Killed in the middle it loses those that were alive, and no other.
        @Test func aKilledSupervisorLosesTheLivingAlone() throws {
            try Self.withFile { path in
                let launch = Launch(
                    [
                        "--accounting", path, "--concurrent-workers", "4", "--backoff-initial", "0.01",
                        "--backoff-max", "0.01", "--max-failures", "0",
                    ], command: ["/bin/sh", "-c", "exit 3"])
                try withSupervisor(launch) { supervisor in
                    try supervisor.waitFor(100, "worker_exited")
                    supervisor.signal(SIGKILL)
                    #expect(try supervisor.waitForExit() == .signal(SIGKILL))
                    let lines = try Self.lines(path)
                    for slot in 1...4 {
                        let accounted = Set(
                            lines.filter { $0["slot"]?.integer == Int64(slot) }
                                .compactMap { $0["incarnation"]?.integer })
                        // The last that it told to have ended may still have had its cgroup, and that its successor.
                        let ended =
                            supervisor.lines.filter { $0.event == "worker_exited" && $0.slot == slot }
                            .compactMap(\.incarnation).max() ?? 0
                        #expect(ended > 10)
                        #expect(accounted.isSuperset(of: (1..<Int64(ended)).map { $0 }), "\(accounted)")
                    }
                }
            }
        }

        /// What a worker leaves behind counts too, until it is gone.
        @Test func whatIsLeftBehindCounts() throws {
            try Self.withFile { path in
                let launch = Launch(
                    ["--accounting", path, "--restart", "never"],
                    command: [
                        "/bin/sh", "-c",
                        "trap '' TERM; (i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & exit 0",
                    ])
                try withSupervisor(launch) { supervisor in
                    #expect(try supervisor.waitForExit() == .code(0))
                    let line = try #require(try Self.lines(path).first)
                    #expect(line["reason"]?.text == "finished")
                    let user = try #require(line["cpu_user_usec"]?.integer)
                    let lifetime = try #require(line["lifetime_usec"]?.integer)
                    #expect(user > lifetime, "\(line)")
                    expectNothingLeft(supervisor)
                }
            }
        }

        /// Somebody removed its cgroup first: what it took is unknown then, how it ended is not.
        @Test func oneWhoseCgroupWasTakenAwayHasItsLine() throws {
            try Self.withFile { path in
                let launch = Launch(["--accounting", path], command: ["/bin/sleep", "600"])
                try withSupervisor(launch) { supervisor in
                    let started = try supervisor.waitFor("worker_started")
                    let directory = try supervisor.directory(of: started)
                    supervisor.signal(SIGSTOP)
                    Glibc.kill(try #require(started.pid), SIGKILL)
                    try supervisor.waitUntil("its cgroup is empty, and removed") { rmdir(directory) == 0 }
                    supervisor.signal(SIGCONT)
                    try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                    #expect(try supervisor.stop() == .code(0))
                    let lines = try Self.lines(path)
                    #expect(lines.map { $0["incarnation"]?.integer } == [1, 2])
                    #expect(lines.map { $0["reason"]?.text } == ["crashed", "shutdown"])
                    #expect(lines.first?["cpu_user_usec"] == .null)
                }
            }
        }

        /// A renamed file is left alone, and another takes the next lines; over an upgrade too.
        @Test func aRenamedFileIsMadeAnew() throws {
            try Self.withFile { path in
                let launch = Launch(
                    ["--accounting", path, "--backoff-initial", "0.01"], command: ["/bin/sleep", "600"])
                try withReplaceableProgram("accounting", launch) { supervisor, _ in
                    func kill(_ incarnation: Int) throws {
                        let pid = try supervisor.waitFor("worker_started") { $0.incarnation == incarnation }
                            .pid
                        Glibc.kill(try #require(pid), SIGKILL)
                        try supervisor.waitFor("worker_started") { $0.incarnation == incarnation + 1 }
                        // It is written when the cgroup is gone.
                        try supervisor.waitUntil("incarnation \(incarnation) is in the account") {
                            TextFile.read(path)?.contains("\"incarnation\":\(incarnation),") == true
                        }
                    }
                    try kill(1)
                    #expect(rename(path, path + ".1") == 0)
                    try kill(2)
                    supervisor.signal(SIGUSR2)
                    try supervisor.waitFor("supervisor_upgraded")
                    try kill(3)
                    #expect(try supervisor.stop() == .code(0))
                    #expect(try Self.lines(path + ".1").compactMap { $0["incarnation"]?.integer } == [1])
                    #expect(try Self.lines(path).compactMap { $0["incarnation"]?.integer } == [2, 3, 4])
                }
            }
        }

        /// A line that was torn by a crash is ended, and not continued.
        @Test func aTornLineIsEnded() throws {
            try Self.withFile { path in
                try #require(TextFile.write("{\"torn\":", to: path, creating: true) == 0)
                let launch = Launch(["--accounting", path, "--restart", "never"], command: ["/bin/true"])
                let end = try withSupervisor(launch) { try $0.waitForExit() }
                #expect(end == .code(0))
                let lines = try #require(TextFile.read(path)).split(separator: "\n")
                #expect(lines.count == 2 && lines[0] == "{\"torn\":" && lines[1].hasPrefix("{\"started\":"))
            }
        }

        /// A line without end takes no memory to read, and the others are read.
        @Test func anEndlessLineIsNoneOfItsLines() throws {
            try Self.withFile { path in
                let line = #"{"group":"crawl","reason":"finished"}"#
                try #require(TextFile.write("\(line)\n", to: path, creating: true) == 0)
                try Tool.mustRun(["truncate", "--size", "256M", path])
                let most = Sanitizer.isThere ? "unlimited" : "200000"  // kB
                let (status, output) = try Tool.run([
                    "/bin/sh", "-c", "ulimit -v \(most); exec \"$0\" report \"$1\"",
                    try SupervisorProcess.program(), path,
                ])
                #expect(status == .code(0), "\(output)")
                #expect(output.contains("crawl              1 "), "\(output)")
                #expect(output.contains("could not be read"), "\(output)")
            }
        }

        /// What is no file that can be written is refused before anything is started.
        @Test(arguments: ["/nowhere/account", "/tmp", "/dev/null"])
        func whatIsNoFileIsRefused(path: String) throws {
            try withSupervisor(Launch(["--accounting", path], command: ["/bin/true"])) { supervisor in
                let end = try supervisor.waitForExit()
                #expect(end != .code(0))
                let said = supervisor.lines.map(\.message) + supervisor.strayLines
                #expect(said.contains { $0.contains(path) && $0.contains("account") }, "\(said)")
                #expect(!supervisor.lines.contains { $0.event == "worker_started" })
            }
        }
    }
}
