import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Neighbours {
        /// One supervisor a cgroup: a second one there goes at once, names the first, and harms nothing.
        @Test func aSecondSupervisorIsRefused() throws {
            let command = try TestWorker.command("sleep")
            try withSupervisor(Launch(["--concurrent-workers", "3"], command: command)) { first in
                let workers = try first.waitFor(3, "worker_started").compactMap(\.pid)
                var launch = Launch(["--cgroup", first.root], command: command)
                launch.place = .inherited
                try withSupervisor(launch) { second in
                    let status = try second.waitForExit()
                    #expect(status == .code(69))
                    #expect(second.strayLines.count == 1)
                    #expect(second.strayLines[0].contains("a supervisor with PID \(first.pid) already runs"))
                    #expect(second.strayLines[0].contains("--name"))
                }
                #expect(workers.allSatisfy { ProcessFacts($0).runs })
                #expect(try first.stop() == .code(0))
                expectNothingLeft(first)
            }
        }

        /// What a supervisor that was killed left behind, the next one in its cgroup finds, ends and tells.
        @Test func theNextClearsWhatAKilledOneLeft() throws {
            let command = try TestWorker.command("ignore-term")
            try withSupervisor(Launch(["--concurrent-workers", "3"], command: command)) { first in
                try waitForOutput(first, 3, "ready")
                let orphans = try first.waitFor(3, "worker_started").compactMap(\.pid)
                first.signal(SIGKILL)
                #expect(try first.waitForExit() == .signal(SIGKILL))
                #expect(orphans.count == 3 && orphans.allSatisfy { ProcessFacts($0).runs })
                var launch = Launch(["--concurrent-workers", "2"], command: try TestWorker.command("sleep"))
                launch.place = .existing(first.root)
                try withSupervisor(launch) { second in
                    let notice = try second.waitFor("supervisor_notice") { $0.message.contains("earlier") }
                    #expect(notice.message.contains("killed 3 processes in 3 cgroups"), "\(notice.message)")
                    try second.waitFor("supervisor_ready")
                    #expect(orphans.allSatisfy { !ProcessFacts($0).runs })
                    #expect(Cgroupfs.allProcesses(in: "\(second.root)/TestWorker").count == 2)
                    #expect(try second.stop() == .code(0))
                    expectNothingLeft(second)
                }
            }
        }

        /// A directory in its cgroup that is not of its making stays, with the processes in it.
        @Test func whatIsNotItsOwnStays() throws {
            let command = try TestWorker.command("sleep")
            try withSupervisor(Launch(["--concurrent-workers", "1"], command: command)) { first in
                try first.waitFor("supervisor_ready")
                let foreign = "\(first.root)/someone"
                #expect(mkdir(foreign, 0o755) == 0)
                #expect(mkdir("\(foreign)/else", 0o755) == 0)
                #expect(try first.stop() == .code(0))
                #expect(Cgroupfs.children(of: first.root) == ["someone"])
                var launch = Launch(["--concurrent-workers", "1"], command: command)
                launch.place = .existing(first.root)
                try withSupervisor(launch) { second in
                    try second.waitFor("supervisor_ready")
                    #expect(Cgroupfs.children(of: foreign) == ["else"])
                    #expect(try second.stop() == .code(0))
                    #expect(Cgroupfs.children(of: second.root) == ["someone"])
                }
            }
        }
    }
}
