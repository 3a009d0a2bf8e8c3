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
