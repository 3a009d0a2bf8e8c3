import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// What the supervisor needs is taken away while it runs, and given back.
    @Suite(.serialized) struct Scarcity {
        /// No descriptor is left: starts fail and are backed off; when there are some again, it recovers.
        @Test func noDescriptorIsLeft() throws {
            let launch = Launch(
                ["--concurrent-workers", "3", "--backoff-initial", "0.2", "--backoff-max", "0.4"],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let pids = try supervisor.waitFor(3, "worker_started").compactMap(\.pid)
                try supervisor.waitFor("supervisor_ready")
                try supervisor.limitDescriptors(to: 3)
                kill(pids[0], SIGKILL)
                let failed = try supervisor.waitFor("worker_exited") { $0.reason == "start_failed" }
                #expect(failed.message.contains("Too many open files"), "\(failed.message)")
                try supervisor.waitFor("worker_backoff", from: failed.position)
                #expect(ProcessFacts(pids[1]).runs && ProcessFacts(pids[2]).runs)
                try supervisor.limitDescriptors(to: 1024)
                try supervisor.waitFor("worker_started", from: failed.position) { $0.slot == failed.slot }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// Without descriptors it can still be stopped.
        @Test func noDescriptorIsLeftAtTheStop() throws {
            let launch = Launch(["--concurrent-workers", "3"], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try supervisor.limitDescriptors(to: 3)
                #expect(try supervisor.stop() == .code(0))
                #expect(Cgroupfs.allProcesses(in: supervisor.root) == [])
            }
        }

        /// Who speaks on a worker's socket cannot be looked up without a descriptor: what is said there is believed, or a
        /// worker that is well would miss its watchdog.
        @Test func aWorkerIsHeardWithoutADescriptor() throws {
            let launch = Launch(
                [
                    "--watchdog", "1", "--concurrent-workers", "2", "--backoff-initial", "1", "--backoff-max",
                    "1",
                ],
                command: try TestWorker.command("notify", "say:READY=1", "every:100:WATCHDOG=1"))
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let pids = try supervisor.waitFor(2, "worker_started").compactMap(\.pid)
                try supervisor.limitDescriptors(to: 3)
                kill(pids[0], SIGKILL)
                // Its back-offs last longer than the other's watchdog.
                try supervisor.waitFor(3, "worker_exited") { $0.reason == "start_failed" }
                #expect(
                    !supervisor.lines.contains { $0.event == "worker_watchdog" }, "\(supervisor.transcript)")
                #expect(ProcessFacts(pids[1]).runs)
                try supervisor.limitDescriptors(to: 1024)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// The kernel says once that a cgroup is empty. Where that could not be read, it is looked at again.
        @Test func anEmptyCgroupIsRemovedLater() throws {
            let launch = Launch(
                ["--restart", "never", "--stop-timeout", "3"],
                command: try TestWorker.command("leave-daemon", "ignore", "0"))
            try withSupervisor(launch) { supervisor in
                let line = try supervisor.waitForOutput { $0.hasPrefix("daemon ") }
                let daemon = try #require(Int32(line.dropFirst("daemon ".count)))
                try supervisor.waitFor("worker_leftovers")
                try supervisor.limitDescriptors(to: 3)
                kill(daemon, SIGKILL)
                try supervisor.waitFor("supervisor_trouble") { $0.message.contains("cgroup.events") }
                try supervisor.limitDescriptors(to: 1024)
                // It ends when nothing is left.
                #expect(try supervisor.waitForExit() == .code(0))
                #expect(!supervisor.lines.contains { $0.event == "worker_stuck" })
                expectNothingLeft(supervisor)
            }
        }

        /// The group's directory is removed by somebody: it is made again.
        @Test func theGroupsDirectoryIsRemoved() throws {
            let launch = Launch(["--backoff-initial", "1"], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                kill(pid, SIGKILL)
                let group = "\(supervisor.root)/TestWorker"
                try supervisor.waitUntil("\(group) can be removed") { rmdir(group) == 0 }
                let next = try supervisor.waitFor("worker_started") { $0.incarnation == 2 }
                #expect(ProcessFacts(try #require(next.pid)).runs)
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A frozen group's new worker does not come to its exec: nobody waits for that, it starts when the group is thawed.
        @Test func aFrozenGroupHoldsNobodyUp() throws {
            let launch = Launch(
                ["--concurrent-workers", "2", "--backoff-initial", "0.1"],
                command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let pids = try supervisor.waitFor(2, "worker_started").compactMap(\.pid)
                let group = "\(supervisor.root)/TestWorker"
                let client = try ControlCaller(ControlCaller.path(supervisor.name))
                client.call("GetStatus")
                #expect(try client.receive() != nil)
                #expect(TextFile.write("1", to: "\(group)/cgroup.freeze") == 0)
                kill(pids[0], SIGKILL)
                try supervisor.waitUntil("its successor is on its way") { access("\(group)/1.2", F_OK) == 0 }
                kill(pids[1], SIGKILL)
                try supervisor.waitFor("worker_exited", within: .seconds(10)) { $0.pid == pids[1] }
                // The successor has copies of the supervisor's descriptors. Who is turned out sees that all the same.
                client.send(Array("no message\0".utf8))
                #expect(try client.receive() == nil)
                #expect(!supervisor.lines.contains { $0.event == "worker_started" && $0.incarnation == 2 })
                #expect(TextFile.write("0", to: "\(group)/cgroup.freeze") == 0)
                try supervisor.waitFor(2, "worker_started") { $0.incarnation == 2 }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// cgroupfs becomes read-only: starts fail and are backed off; when it is writable again, it recovers.
        @Test func theFileSystemBecomesReadOnly() throws {
            let mount = try Cgroupfs.mount().point
            var launch = Launch(
                ["--concurrent-workers", "2", "--backoff-initial", "0.2", "--backoff-max", "0.4"],
                command: try TestWorker.command("sleep"))
            launch.wrapper = [
                "unshare", "--mount", "/bin/sh", "-c", #"mount --bind "$0" "$0" && exec "$@""#, mount,
            ]
            try withSupervisor(launch) { supervisor in
                let pids = try supervisor.waitFor(2, "worker_started").compactMap(\.pid)
                func remount(_ how: String) throws {
                    try Tool.mustRun([
                        "nsenter", "--target", "\(supervisor.pid)", "--mount", "mount", "-o",
                        "remount,bind,\(how)", mount,
                    ])
                }
                try remount("ro")
                kill(pids[0], SIGKILL)
                let failed = try supervisor.waitFor("worker_exited") { $0.reason == "start_failed" }
                #expect(failed.message.contains("Read-only file system"), "\(failed.message)")
                #expect(ProcessFacts(pids[1]).runs)
                try remount("rw")
                try supervisor.waitFor("worker_started", from: failed.position) { $0.slot == failed.slot }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// Read-only at the stop: all processes end, and so does the supervisor, in a bounded time.
        @Test func theFileSystemIsReadOnlyAtTheStop() throws {
            let mount = try Cgroupfs.mount().point
            var launch = Launch(
                ["--concurrent-workers", "2", "--stop-timeout", "0.5"],
                command: try TestWorker.command("ignore-term"))
            launch.wrapper = [
                "unshare", "--mount", "/bin/sh", "-c", #"mount --bind "$0" "$0" && exec "$@""#, mount,
            ]
            try withSupervisor(launch) { supervisor in
                try waitForOutput(supervisor, 2, "ready")
                try Tool.mustRun([
                    "nsenter", "--target", "\(supervisor.pid)", "--mount", "mount", "-o", "remount,bind,ro",
                    mount,
                ])
                #expect(try supervisor.stop(within: .seconds(60)) == .code(0))
                #expect(Cgroupfs.allProcesses(in: supervisor.root) == [], "\(supervisor.transcript)")
            }
        }
    }
}
