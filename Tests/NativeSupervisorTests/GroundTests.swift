import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// What is somebody else's in and around the supervisor's cgroup, and what is its own.
    @Suite(.serialized) struct GroundIsShared {
        /// A second supervisor that is refused leaves the first one's directories alone, empty ones too.
        @Test func aRefusedSecondRemovesNothing() throws {
            let command = ["/bin/sh", "-c", "exit 1"]
            try withSupervisor(Launch(["--backoff-initial", "60", "--backoff-max", "60"], command: command)) {
                first in
                try first.waitFor("worker_backoff")
                try first.waitUntil("the worker's cgroup is gone") {
                    Cgroupfs.children(of: "\(first.root)/sh") == []
                }
                var launch = Launch(["--cgroup", first.root], command: command)
                launch.place = .inherited
                try withSupervisor(launch) { second in
                    let status = try second.waitForExit()
                    #expect(status == .code(69))
                }
                #expect(Cgroupfs.children(of: "\(first.root)/sh") == [])
                #expect(try first.stop() == .code(0))
                expectNothingLeft(first)
            }
        }

        /// Started in somebody else's cgroup that happens to be called `supervisor`, it leaves that, and who is in
        /// it, where they are.
        @Test func aLeafOfSomebodyElseStays() throws {
            var launch = Launch([], command: try TestWorker.command("sleep"))
            // The program goes into a cgroup `supervisor` with a neighbour in it.
            let point = try Cgroupfs.mount().point
            launch.wrapper = [
                "/bin/sh", "-c",
                #"leaf=$0$(sed -n 's/^0:://p' /proc/self/cgroup)/supervisor; mkdir "$leaf"; "#
                    + #"sleep 1000 >/dev/null 2>&1 & echo $! >"$leaf/cgroup.procs"; echo $$ >"$leaf/cgroup.procs"; "#
                    + #"exec "$@""#,
                point,
            ]
            try withSupervisor(launch) { supervisor in
                let leaf = "\(supervisor.root)/supervisor"
                let ready = try supervisor.waitFor("supervisor_ready")
                #expect(ready.cgroup?.hasSuffix("/supervisor") == true)
                let worker = try #require(supervisor.waitFor("worker_started").pid)
                let neighbours = Cgroupfs.allProcesses(in: leaf).filter {
                    $0 != supervisor.pid && $0 != worker
                }
                #expect(neighbours.count == 1)
                #expect(try supervisor.stop() == .code(0))
                #expect(Cgroupfs.children(of: leaf) == [])
                #expect(Cgroupfs.processes(in: leaf) == neighbours)
            }
        }

        /// A killed supervisor's group whose worker was away: the next one clears that too, whatever it runs.
        @Test func anEmptyGroupOfAKilledOneIsCleared() throws {
            let options = ["--backoff-initial", "60", "--backoff-max", "60"]
            try withSupervisor(Launch(options, command: ["/bin/sh", "-c", "exit 1"])) { first in
                try first.waitFor("worker_backoff")
                try first.waitUntil("the worker's cgroup is gone") {
                    Cgroupfs.children(of: "\(first.root)/sh") == []
                }
                first.signal(SIGKILL)
                #expect(try first.waitForExit() == .signal(SIGKILL))
                var launch = Launch([], command: try TestWorker.command("sleep"))
                launch.place = .existing(first.root)
                try withSupervisor(launch) { second in
                    try second.waitFor("supervisor_ready")
                    #expect(!Cgroupfs.exists("\(second.root)/sh"))
                    #expect(try second.stop() == .code(0))
                    expectNothingLeft(second)
                }
            }
        }

        /// As a subreaper, or PID 1, it gets its workers' orphans: none stays a zombie, and each worker's end is its own.
        @Test func orphansAreReaped() throws {
            let script =
                #"(/bin/sh -c "sleep 0.05 & exit" >/dev/null 2>&1 &); "#
                + "if [ $((SERGEANT_SLOT % 2)) = 0 ]; then exit 7; else kill -9 $$; fi"
            var launch = Launch(
                ["--concurrent-workers", "8", "--backoff-initial", "0.05", "--backoff-max", "0.1"],
                command: ["/bin/sh", "-c", script])
            // PR_SET_CHILD_SUBREAPER outlives exec.
            launch.wrapper = [
                "python3", "-c",
                "import ctypes,os,sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])",
            ]
            try withSupervisor(launch) { supervisor in
                let ends = try supervisor.waitFor(100, "worker_exited")
                for end in ends where end.reason != "shutdown" {
                    if let slot = end.slot, slot % 2 == 0 {
                        #expect(end.exitCode == 7 && end.signal == nil)
                    } else {
                        #expect(end.signal == SIGKILL && end.exitCode == nil)
                    }
                }
                let children = "/proc/\(supervisor.pid)/task/\(supervisor.pid)/children"
                func zombies() -> [Int32] {
                    (TextFile.read(children) ?? "").split(separator: " ").compactMap { Int32($0) }.filter {
                        ProcessFacts($0).status("State")?.hasPrefix("Z") == true
                    }
                }
                // One that has just ended is reaped in a moment; a hundred are not there.
                try supervisor.waitUntil("the orphans are reaped") { zombies().count < 4 }
                #expect(zombies().count < 8)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
