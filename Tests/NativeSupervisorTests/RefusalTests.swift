import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// What cannot be done is refused in one sentence, with the right status, and leaves nothing behind.
    @Suite(.serialized) struct Refusals {
        static let usage: [(arguments: [String], words: String)] = [
            (["--frobnicate", "--", "/bin/true"], "--frobnicate"),
            (["--concurrent-workers", "0", "--", "/bin/true"], "at least 1"),
            (["--concurrent-workers", "-1", "--", "/bin/true"], "--concurrent-workers"),
            (["--concurrent-workers", "many", "--", "/bin/true"], "many"),
            (["--concurrent-workers", "--", "/bin/true"], "--concurrent-workers"),
            (["--memory-max", "12Q", "--", "/bin/true"], "12Q"),
            (["--memory-max", "512K", "--", "/bin/true"], "1M"),
            (
                ["--max-worker-memory-usage", "64M", "--memory-max", "64M", "--", "/bin/true"],
                "must be below"
            ),
            (["--stop-timeout", "soon", "--", "/bin/true"], "soon"),
            (["--stop-signal", "SIGNONE", "--", "/bin/true"], "SIGNONE"),
            (["--max-failures", "3", "--", "/bin/true"], "--max-failures"),
            (["--log-format", "xml", "--", "/bin/true"], "xml"),
            (["--worker-module", "m"], "--worker-class"),
            (["--worker-class", "C"], "--worker-module"),
            (["--worker-module", "m", "--worker-class", "C", "--", "/bin/true"], "not both"),
            ([], "nothing to run"),
            (["--"], "nothing to run"),
            (["/bin/true"], "-- /bin/true"),
            (["--concurrent-workers", "2", "./worker", "--flag"], "-- ./worker --flag"),
        ]

        @Test(arguments: usage) func aWrongCommandLine(arguments: [String], words: String) throws {
            try refused(Launch(arguments), .code(64), words)
            try refused(Launch(["--legacy-exit-codes"] + arguments), .code(2), words)
        }

        @Test func aProgramThatCannotRun() throws {
            let directory = "/tmp/sergeantcg-test-\(getpid())-programs"
            let plain = "\(directory)/plain"
            #expect(mkdir(directory, 0o755) == 0)
            defer { rmdir(directory) }
            close(open(plain, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644))
            defer { unlink(plain) }
            try refused(Launch([], command: ["nonesuch-worker"]), .code(1), "'nonesuch-worker' on the PATH")
            try refused(Launch([], command: ["/nonexistent/worker"]), .code(1), "No such file or directory")
            try refused(Launch([], command: [directory]), .code(1), "a directory")
            try refused(Launch([], command: [plain]), .code(1), "Permission denied")
            try refused(Launch([], command: ["\(plain)/below"]), .code(1), "Not a directory")
        }

        /// Found only by the kernel at the first start: the group fails at once, and no back-off is tried.
        @Test func aProgramThatTheKernelRefuses() throws {
            let path = "/tmp/sergeantcg-test-\(getpid())-refused"
            for content in ["no program at all", "#!/nonexistent/interpreter\n"] {
                let file = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0o755)
                let bytes = Array(content.utf8)
                #expect(write(file, bytes, bytes.count) == bytes.count)
                close(file)
                defer { unlink(path) }
                try withSupervisor(Launch(["--concurrent-workers", "4"], command: [path])) { supervisor in
                    #expect(try supervisor.waitForExit() == .code(1))
                    let ended = try supervisor.waitFor("worker_exited")
                    #expect(ended.reason == "start_failed")
                    #expect(ended.message.contains(path), "\(ended.message)")
                    try supervisor.waitFor("group_failed")
                    #expect(!supervisor.lines.contains { $0.event == "worker_backoff" })
                    expectNothingLeft(supervisor)
                }
            }
        }

        /// An ordinary user in a cgroup that is not delegated.
        @Test func aCgroupOfSomebodyElse() throws {
            var launch = Launch(["--concurrent-workers", "2"], command: ["/bin/true"])
            launch.wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            try refused(launch, .code(69), "not delegated to this user")
        }

        /// As in a container: cgroup2 is there, and read-only.
        @Test func aReadOnlyCgroupFileSystem() throws {
            let mount = try Cgroupfs.mount().point
            var launch = Launch(["--concurrent-workers", "2"], command: ["/bin/true"])
            launch.wrapper = [
                "unshare", "--mount", "/bin/sh", "-c",
                #"mount -o remount,bind,ro "$0" && exec "$@""#, mount,
            ]
            try refused(launch, .code(69), "Read-only file system")
        }

        /// No cgroup2 at all.
        @Test func noCgroupFileSystem() throws {
            let mount = try Cgroupfs.mount().point
            var launch = Launch([], command: ["/bin/true"])
            launch.wrapper = [
                "unshare", "--mount", "/bin/sh", "-c", #"umount -l "$0" && exec "$@""#, mount,
            ]
            try refused(launch, .code(69), "cgroup2")
        }

        /// A limit without its controller is refused, never ignored.
        @Test(arguments: [
            ["--memory-max", "64M"], ["--max-worker-memory-usage", "64M"], ["--swap-max", "0"],
        ])
        func aMemoryLimitWithoutTheController(limit: [String]) throws {
            try withSupervisor(Launch([], command: try TestWorker.command("sleep"))) { outer in
                // Whatever this kernel has: a cgroup whose parent hands on nothing.
                try outer.waitFor("supervisor_ready")
                let bare = "\(outer.root)/supervisor/bare"
                #expect(mkdir(bare, 0o755) == 0)
                defer { rmdir(bare) }
                var launch = Launch(limit, command: ["/bin/true"])
                launch.place = .existing(bare)
                try refused(launch, .code(69), "\(bare)/cgroup.controllers")
            }
        }

        /// A cgroup that is none, and one whose name cannot be.
        @Test func aPlaceThatIsNone() throws {
            try refused(
                Launch(["--cgroup", "/nonexistent/place"], command: ["/bin/true"]), .code(69), "nonexistent")
            try refused(Launch(["--name", "a/b"], command: ["/bin/true"]), .code(64), "a/b")
        }

        private func refused(_ launch: Launch, _ status: ProcessEnd, _ words: String) throws {
            try withSupervisor(launch) { supervisor in
                let ended = try supervisor.waitForExit()
                #expect(ended == status, "\(supervisor.transcript)")
                #expect(supervisor.lines.isEmpty, "\(supervisor.transcript)")
                #expect(supervisor.outputLines.isEmpty, "\(supervisor.transcript)")
                #expect(supervisor.strayLines.count == 1, "\(supervisor.transcript)")
                let sentence = supervisor.strayLines.first ?? ""
                #expect(sentence.hasPrefix("sergeantcg: "), "\(sentence)")
                #expect(sentence.contains(words), "\(sentence)")
                expectNothingLeft(supervisor)
            }
        }
    }
}
