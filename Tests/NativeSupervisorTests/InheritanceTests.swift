import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Inheritance {
        /// A worker finds no descriptor, no signal setting and no variable that was meant for the supervisor
        /// or lay about where it was started; what it should inherit, it does.
        @Test func aWorkerStartsClean() throws {
            var launch = Launch([], command: try TestWorker.command("inherited"))
            launch.wrapper = [
                "env", "--ignore-signal=CHLD,PIPE,USR2,INT,TERM", "--block-signal=USR1,TERM,CHLD,RTMIN",
                "prlimit", "--nofile=300:600", "choom", "-n", "321", "--",
                "/bin/sh", "-c",
                #"umask 027; exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7>&2 8<&0 9</; exec "$@""#,
                "sh",
            ]
            launch.environment = [
                "NOTIFY_SOCKET": "/nonexistent/notify", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1",
                "LISTEN_FDS": "3", "LISTEN_PID": "1", "LISTEN_FDNAMES": "a:b:c", "MAINPID": "1",
                "SERGEANT_WORKER": "another-7", "SERGEANT_SLOT": "7", "SERGEANT_MEMORY_LIMIT": "1",
                "KEPT": "as it=was",
            ]
            launch.workingDirectory = "/usr"
            try withSupervisor(launch) { supervisor in
                try supervisor.waitForOutput { $0 == "end" }
                let lines = supervisor.outputLines
                let descriptors = lines.filter { $0.hasPrefix("descriptor ") }.map {
                    $0.split(separator: " ")[1]
                }
                #expect(descriptors == ["0", "1", "2"], "\(lines)")
                let environment = lines.filter { $0.hasPrefix("environment ") }.map { $0.dropFirst(12) }
                let names = Set(environment.map { $0.prefix { $0 != "=" } })
                let withheld: Set<Substring> = [
                    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
                    "LISTEN_FDNAMES", "MAINPID", "SERGEANT_MEMORY_LIMIT",
                ]
                #expect(names.intersection(withheld).isEmpty, "\(names)")
                for kept in [
                    "KEPT=as it=was", "SERGEANT_WORKER=TestWorker-1", "SERGEANT_SLOT=1",
                    "SERGEANT_INCARNATION=1",
                ] {
                    #expect(environment.filter { $0 == kept }.count == 1, "\(kept) in \(environment)")
                }
                #expect(names.count == environment.count, "a name stands twice in \(environment)")
                for mask in ["SigBlk 0000000000000000", "SigIgn 0000000000000000"] {
                    #expect(lines.contains(mask), "\(lines.filter { $0.hasPrefix("Sig") })")
                }
                // Else SIGPIPE, which systemd's services ignore, would be set back in every worker, by a system call.
                let ignored = ProcessFacts(supervisor.pid).status("SigIgn").flatMap { UInt64($0, radix: 16) }
                #expect(try #require(ignored) & 1 << UInt64(SIGPIPE - 1) == 0)
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                #expect(lines.contains("session \(pid) process \(pid) group \(pid)"))
                #expect(lines.contains("files 300 600"))
                #expect(lines.contains("umask 27"))
                #expect(lines.contains("directory /usr"))
                #expect(TextFile.read("/proc/\(pid)/oom_score_adj") == "321\n")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The next incarnation finds the next number.
        @Test func theIncarnationIsCounted() throws {
            let launch = Launch(
                ["--backoff-initial", "0.01"],
                command: try TestWorker.command("variable", "SERGEANT_INCARNATION"))
            try withSupervisor(launch) { supervisor in
                for number in 1...3 {
                    try supervisor.waitForOutput { $0 == "SERGEANT_INCARNATION=\(number)" }
                    let started = try supervisor.waitFor("worker_started") { $0.incarnation == number }
                    kill(try #require(started.pid), SIGKILL)
                }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Descriptors 0, 1 and 2 may be closed: nothing of the supervisor's own takes their place, in itself
        /// or in a worker.
        @Test func closedStandardDescriptorsAreFilled() throws {
            let path = "/tmp/sergeantcg-test-\(getpid())-standard"
            let script = #"ls -l /proc/$$/fd >"$0.new"; mv "$0.new" "$0"; exec sleep 1000"#
            var launch = Launch([], command: ["/bin/sh", "-c", script, path])
            launch.wrapper = ["/bin/sh", "-c", #"exec "$@" <&- >&- 2>&-"#, "sh"]
            defer { unlink(path) }
            try withSupervisor(launch) { supervisor in
                try supervisor.waitUntil("the worker has told its descriptors") { access(path, F_OK) == 0 }
                let told = TextFile.read(path) ?? ""
                for what in [
                    "eventpoll", "eventfd", "timerfd", "signalfd", "inotify", "pipe", "cgroup", "pidfd",
                ] {
                    #expect(!told.contains(what), "\(told)")
                }
                let own = ProcessFacts(supervisor.pid).descriptors
                for number in 0...2 { #expect(own[number] == "/dev/null", "\(own)") }
                supervisor.signal(SIGTERM)
                #expect(try supervisor.waitForExit() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
