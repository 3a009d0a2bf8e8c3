import Glibc
import SupervisorHarness
import Testing

/// When memory is short the supervisor is the last that it is taken from.
extension Kernel {
    @Suite(.serialized) struct Protection {
        /// At a limit above them all the kernel takes the largest process, which the supervisor is here, unless it
        /// is told otherwise.
        @Test func anAncestorsLimitTakesAWorkerAndNotTheSupervisor() throws {
            let scratch = try Scratch()
            let go = "\(scratch.path)/go"
            try #require(mkfifo(go, 0o600) == 0)
            let worker = try TestWorker.path()
            let script =
                "test $SERGEANT_INCARNATION = 1 || exec '\(worker)' sleep; read -r go <'\(go)'; "
                + "for child in $(seq 24); do '\(worker)' hold 4M & done; wait"
            let launch = Launch(["--backoff-initial", "0.05"], command: ["/bin/sh", "-c", script])
            try supervise(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try #require(TextFile.write("60M", to: "\(supervisor.root)/memory.max") == 0)
                try #require(TextFile.write("go\n", to: go) == 0)
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.reason == "oom_killed")
                #expect(try supervisor.waitFor("worker_oom").oomScope == "ancestor")
                #expect(try supervisor.waitFor("worker_started") { $0.incarnation == 2 }.slot == 1)
                #expect(supervisor.status == nil)
            }
        }

        /// A worker has what the supervisor was started with, also when the program was replaced meanwhile.
        @Test func aWorkerIsNotProtectedWithIt() throws {
            var launch = Launch(["--backoff-initial", "0.05"], command: try TestWorker.command("sleep"))
            launch.wrapper = ["choom", "-n", "321", "--"]
            try supervise(launch) { supervisor in
                let first = try #require(supervisor.waitFor("worker_started").pid)
                #expect(adjustment(of: first) == 321)
                #expect(adjustment(of: supervisor.pid) == -900)
                supervisor.signal(SIGUSR2)
                try supervisor.waitFor("supervisor_upgraded")
                kill(first, SIGKILL)
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(adjustment(of: try #require(next.pid)) == 321)
                #expect(adjustment(of: supervisor.pid) == -900)
            }
        }

        /// What somebody has protected further stays so, and is not handed to workers that could then not be killed
        /// at their own limit.
        @Test func aServiceThatIsNeverKilledStaysSo() throws {
            var launch = Launch(["--memory-max", "64M"], command: try TestWorker.command("sleep"))
            launch.wrapper = ["choom", "-n", "-1000", "--"]
            try supervise(launch) { supervisor in
                let started = try supervisor.waitFor("worker_started")
                #expect(adjustment(of: try #require(started.pid)) == -999)
                #expect(adjustment(of: supervisor.pid) == -1000)
            }
        }

        /// What is in its cgroup stays in memory when everything around it is taken back.
        @Test func reclaimSparesTheSupervisor() throws {
            let file = "\(try diskDirectory())/protected"
            // The host's files leave the cache where nobody has them open.
            let held = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            try #require(held >= 0)
            defer {
                close(held)
                unlink(file)
            }
            try supervise(Launch([], command: try TestWorker.command("sleep"))) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let leaf = "\(supervisor.root)/supervisor"
                // The page cache counts for whoever wrote it, and can be reclaimed once it is on the disk.
                let script =
                    "echo $$ >'\(leaf)/cgroup.procs'; exec dd if=/dev/zero of='\(file)' bs=1M count=16 conv=fsync,notrunc"
                try Tool.mustRun(["sh", "-c", script])
                let before = try memory(of: leaf)
                try #require(before > 16 << 20)
                // There is not as much: it takes what it may.
                #expect(TextFile.write("1G", to: "\(supervisor.root)/memory.reclaim") == EAGAIN)
                let after = try memory(of: leaf)
                #expect(after > 16 << 20, "\(before) bytes before, \(after) after")
                // It holds so much and no more.
                #expect(TextFile.read("\(leaf)/memory.min") == "\(32 << 20)\n")
            }
        }

        private func adjustment(of pid: Int32) -> Int? {
            TextFile.read("/proc/\(pid)/oom_score_adj").flatMap { Int($0.dropLast()) }
        }

        private func memory(of directory: String) throws -> Int {
            try #require(TextFile.read("\(directory)/memory.current").flatMap { Int($0.dropLast()) })
        }
    }
}
