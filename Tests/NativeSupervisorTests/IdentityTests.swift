import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// Who a worker is, and that nothing of who the supervisor is goes with it.
    @Suite(.serialized) struct Identity {
        private static let nobody: UInt32 = 65534

        /// All that the kernel says of a worker's identity, and every variable, against the whole list of what is meant.
        @Test func aWorkerOfAnotherUserHasNothingOfTheSupervisors() throws {
            var launch = Launch(
                [
                    "--user", "nobody", "--no-new-privileges", "--umask", "027", "--working-directory",
                    "/usr",
                    "--rlimit", "nofile=100:200", "--rlimit", "core=0", "--rlimit", "nproc=1000:2000",
                    "--rlimit", "stack=1M:2M", "--notify", "--env", "TOLD=so", "--env", "SHELL=/bin/rc",
                ],
                command: ["/bin/sleep", "1000"])
            launch.wrapper = [
                "setpriv", "--groups", "4,5", "--inh-caps", "+net_raw,+sys_admin", "--ambient-caps",
                "+net_raw", "--",
                "env", "-i", "PATH=/usr/bin:/bin", "HOME=/root", "USER=root", "LOGNAME=root",
                "SHELL=/bin/bash",
                "MAIL=/var/mail/root", "XDG_RUNTIME_DIR=/run/user/0", "DBUS_SESSION_BUS_ADDRESS=unix:path=/x",
                "SSH_AUTH_SOCK=/x", "SUDO_UID=5", "KEPT=yes", "INVOCATION_ID=0123456789abcdef",
                "STATE_DIRECTORY=/var/lib/x",
                "NOTIFY_SOCKET=/nonexistent/notify", "WATCHDOG_USEC=1000000", "WATCHDOG_PID=1",
                "LISTEN_FDS=3",
                "LISTEN_PID=1", "LISTEN_FDNAMES=a:b:c", "LISTEN_PIDFDID=7", "FDSTORE=9", "MAINPID=1",
                "MANAGERPID=1",
                "SYSTEMD_EXEC_PID=4", "MEMORY_PRESSURE_WATCH=/x", "MEMORY_PRESSURE_WRITE=eA==", "PIDFILE=/x",
                "JOURNAL_STREAM=8:9", "SERGEANT_WORKER=other", "SERGEANT_MEMORY_LIMIT=1",
            ]
            try withSupervisor(launch) { supervisor in
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                let worker = ProcessFacts(pid)
                let id = "\(Self.nobody)"
                let none = "0000000000000000"
                let expected = [
                    "Uid": "\(id) \(id) \(id) \(id)", "Gid": "\(id) \(id) \(id) \(id)", "Groups": id,
                    "NoNewPrivs": "1", "CapInh": none, "CapPrm": none, "CapEff": none, "CapAmb": none,
                    "SigBlk": none, "SigIgn": none, "SigCgt": none, "NSsid": "\(pid)", "Umask": "0027",
                ]
                for (name, value) in expected { #expect(worker.status(name) == value, "\(name)") }
                let socket = try #require(
                    try variables(of: pid, supervisor).first { $0.hasPrefix("NOTIFY_SOCKET=") })
                let found = try variables(of: pid, supervisor)
                #expect(
                    found == [
                        "HOME=/nonexistent", "INVOCATION_ID=0123456789abcdef", "JOURNAL_STREAM=8:9",
                        "KEPT=yes",
                        "LOGNAME=nobody", socket, "PATH=/usr/bin:/bin", "SERGEANT_INCARNATION=1",
                        "SERGEANT_SLOT=1",
                        "SERGEANT_WORKER=sleep-1", "SHELL=/bin/rc", "STATE_DIRECTORY=/var/lib/x", "TOLD=so",
                        "USER=nobody",
                    ])
                #expect(worker.descriptors.keys.filter { $0 > 2 }.sorted() == [], "\(worker.descriptors)")
                #expect(link("/proc/\(pid)/cwd") == "/usr")
                let limits = TextFile.read("/proc/\(pid)/limits") ?? ""
                for line in [
                    "Max open files 100 200 files", "Max core file size 0 0 bytes",
                    "Max processes 1000 2000 processes", "Max stack size 1048576 2097152 bytes",
                ] {
                    #expect(
                        limits.split(separator: "\n").contains { words($0) == line }, "\(line) in\n\(limits)")
                }
                // Its socket is its own, and nobody else's.
                try expectClosed(socket)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// And it can write to it.
        @Test func itsNotifySocketIsHeard() throws {
            let launch = Launch(
                ["--user", "nobody", "--notify"],
                command: try TestWorker.command("notify", "say:STATUS=at work;READY=1"))
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try supervisor.waitFor("worker_status") { $0.message.hasSuffix("at work") }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A worker whose user is not chosen is the supervisor in all of this: what the unit gives the service, it has.
        @Test func withoutAUserItIsTheSupervisors() throws {
            var launch = Launch([], command: try TestWorker.command("sleep"))
            launch.wrapper = [
                "setpriv", "--groups", "4,5", "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw", "--",
                "env",
                "HOME=/somewhere",
            ]
            try withSupervisor(launch) { supervisor in
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                let (worker, own) = (ProcessFacts(pid), ProcessFacts(supervisor.pid))
                for name in [
                    "Uid", "Gid", "Groups", "NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
                ] {
                    #expect(worker.status(name) == own.status(name), "\(name)")
                }
                #expect(worker.status("Groups") == "4 5" && worker.status("NoNewPrivs") == "0")
                #expect(try variables(of: pid, supervisor).contains("HOME=/somewhere"))
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// Whoever holds a keyring may use what is in it: two workers of one user share none, nor the supervisor's.
        @Test func eachHasASessionKeyringOfItsOwn() throws {
            let launch = Launch(
                ["--user", "nobody", "--concurrent-workers", "2"], command: try TestWorker.command("keyring"))
            try withSupervisor(launch) { supervisor in
                var told: Set<String> = []
                try supervisor.waitUntil("both have told theirs") {
                    supervisor.readAvailable()
                    told = Set(supervisor.outputLines.filter { $0.hasPrefix("keyring ") })
                    return supervisor.outputLines.filter { $0.hasPrefix("keyring ") }.count == 2
                }
                #expect(told.count == 2 && !told.contains("keyring -1"), "\(told)")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        @Test(arguments: [
            ("nobody:daemon", "65534", "1", "1"), ("65534", "65534", "65534", "65534"),
            ("4711:4712", "4711", "4712", "4712"),
            ("0", "0", "0", "0"),
        ])
        func usersAndGroupsByNameOrNumber(_ text: String, user: String, group: String, groups: String) throws
        {
            let launch = Launch(["--user", text], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                func all(_ id: String) -> String { [id, id, id, id].joined(separator: " ") }
                #expect(ProcessFacts(pid).status("Uid") == all(user))
                #expect(ProcessFacts(pid).status("Gid") == all(group))
                #expect(ProcessFacts(pid).status("Groups") == groups)
                let environment = try variables(of: pid, supervisor)
                #expect(environment.contains { $0.hasPrefix("USER=") } == (user != "4711"), "\(environment)")
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The launcher's text and the report channel are descriptors, whoever reads them.
        @Test func aSergeantWorkerIsLaunchedAsAnotherUser() throws {
            let launch = Launch([
                "--user", "nobody", "--python", "/usr/bin/python3", "--worker-module", "no_such_module",
                "--worker-class", "C", "--working-directory", "/",
            ])
            try withSupervisor(launch) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                // What it says came over the channel.
                #expect(
                    end.message.contains("could not load worker module: no_such_module")
                        || end.message.contains("'sergeant' cannot be imported"), "\(end.message)")
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
            }
        }

        /// We open it, so its directory may be closed to them.
        @Test func theOutputFileNeedNotBeTheirs() throws {
            let directory = "/tmp/sergeantcg-test-\(getpid())-closed"
            try #require(mkdir(directory, 0o700) == 0)
            defer {
                unlink("\(directory)/log")
                rmdir(directory)
            }
            let launch = Launch(
                ["--user", "nobody", "--output", "\(directory)/log"],
                command: ["/bin/sh", "-c", "echo ready; exec sleep 1000"])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitUntil("it has written") { TextFile.read("\(directory)/log") == "ready\n" }
                #expect(try supervisor.stop() == .code(0))
            }
        }

        // MARK: What cannot be

        @Test func whatTheUserMayNotReachIsSaid() throws {
            let directory = "/tmp/sergeantcg-test-\(getpid())-closed"
            try #require(mkdir(directory, 0o700) == 0 && symlink("/bin/sleep", "\(directory)/worker") == 0)
            defer {
                unlink("\(directory)/worker")
                rmdir(directory)
            }
            let user = ["--user", "nobody"]
            try withSupervisor(Launch(user, command: ["\(directory)/worker", "1000"])) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "start_failed")
                #expect(
                    end.message.hasSuffix(
                        "cannot execute \(directory)/worker: Permission denied (EACCES: the user it runs as must be allowed "
                            + "to execute it, and to search every directory above it)"), "\(end.message)")
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
            }
            let inside = Launch(user + ["--working-directory", directory], command: ["/bin/sleep", "1000"])
            try withSupervisor(inside) { supervisor in
                let end = try supervisor.waitFor("worker_exited")
                #expect(
                    end.message.contains("cannot enter the working directory of /bin/sleep"), "\(end.message)"
                )
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A runtime directory that the user may not search would leave a worker unheard for ever.
        @Test func aNotifySocketOutOfReachIsSaidBeforeTheStart() throws {
            let directory = "/tmp/sergeantcg-test-\(getpid())-runtime"
            try #require(mkdir(directory, 0o700) == 0)
            defer { rmdir(directory) }
            var launch = Launch(["--user", "nobody", "--notify"], command: try TestWorker.command("sleep"))
            launch.environment = ["RUNTIME_DIRECTORY": directory]
            try withSupervisor(launch) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
                let said = supervisor.strayLines.first ?? ""
                #expect(
                    said.contains("user nobody may not search \(directory): set RuntimeDirectoryMode=0711"),
                    "\(said)")
                expectNothingLeft(supervisor)
            }
        }

        @Test func anOrdinaryUserBecomesNobodyElse() throws {
            var launch = Launch(["--user", "daemon"], command: try TestWorker.command("sleep"))
            launch.wrapper = ["setpriv", "--reuid", "65534", "--regid", "65534", "--init-groups", "--"]
            launch.owner = Self.nobody
            try withSupervisor(launch) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
                let said = supervisor.strayLines.first ?? ""
                #expect(
                    said.contains(
                        "as user daemon, for which this supervisor lacks CAP_SETUID, CAP_SETGID, CAP_KILL: run it as root"
                    ),
                    "\(said)")
            }
            // Itself it may be.
            launch.arguments =
                ["--user", "nobody", "--control", "none", "--"] + (try TestWorker.command("sleep"))
            launch.owner = Self.nobody
            try withSupervisor(launch) { supervisor in
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                #expect(try variables(of: pid, supervisor).contains("USER=nobody"))
                #expect(try supervisor.stop() == .code(0))
            }
        }

        /// The kernel measures pressure for an ordinary user in windows of 2 s only.
        @Test func aWindowOfPressureThatTakesAPrivilegeIsSaidBeforeTheStart() throws {
            var launch = Launch(["--memory-pressure", "0.5/1"], command: try TestWorker.command("sleep"))
            launch.wrapper = ["setpriv", "--reuid", "65534", "--regid", "65534", "--init-groups", "--"]
            launch.owner = Self.nobody
            try withSupervisor(launch) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
                let said = supervisor.strayLines.first ?? ""
                #expect(
                    said.contains("lacks CAP_SYS_RESOURCE: make it 2, 4, 6, 8 or 10 seconds"), "\(said)")
            }
        }

        @Test func aLimitAboveTheSupervisorsOwnIsSaidBeforeTheStart() throws {
            var launch = Launch(["--rlimit", "nproc=infinity"], command: try TestWorker.command("sleep"))
            launch.wrapper = [
                "prlimit", "--nproc=50000:50000", "setpriv", "--reuid", "65534", "--regid", "65534",
                "--init-groups", "--",
            ]
            launch.owner = Self.nobody
            try withSupervisor(launch) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(1))
                let said = supervisor.strayLines.first ?? ""
                #expect(
                    said.contains("is to be infinity, above the supervisor's own 50000")
                        && said.contains("LimitNPROC="),
                    "\(said)")
            }
        }

        // MARK: Parts

        /// Exec tells of its success a moment before they are there.
        private func variables(of pid: Int32, _ supervisor: SupervisorProcess) throws -> [String] {
            var text = ""
            try supervisor.waitUntil("it has an environment") {
                text = TextFile.read("/proc/\(pid)/environ") ?? ""
                return !text.isEmpty
            }
            return text.split(separator: "\0").map(String.init).sorted()
        }

        private func words(_ line: Substring) -> String {
            line.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }

        private func link(_ path: String) -> String {
            var target = [CChar](repeating: 0, count: 1024)
            let count = readlink(path, &target, target.count - 1)
            return String(decoding: target.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        /// The worker's user alone may write to it, and nobody list where it lies.
        private func expectClosed(_ variable: String) throws {
            let path = String(variable.dropFirst("NOTIFY_SOCKET=".count))
            var status = stat()
            try #require(lstat(path, &status) == 0)
            #expect(status.st_uid == Self.nobody && status.st_mode & 0o7777 == 0o600)
            let directory = path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
            try #require(lstat(directory, &status) == 0)
            #expect(status.st_uid == 0 && status.st_mode & 0o7777 == 0o711)
            let other = try Tool.run(
                [
                    "env", variable, "setpriv", "--reuid", "4711", "--regid", "65534", "--groups", "65534",
                    "--",
                ]
                    + (try TestWorker.command("notify", "say:STATUS=an intruder")))
            #expect(other.status == .code(99) && other.output.contains("Permission denied"), "\(other)")
        }
    }
}
