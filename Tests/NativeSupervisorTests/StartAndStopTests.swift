import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct StartAndStop {
        /// Each worker, its child and its double-forked grandchild say where they are, in their first
        /// instruction: 1,000 of 1,000 in the worker's own leaf.
        @Test func everyProcessIsInItsOwnLeaf() throws {
            let workers = 1000
            let launch = Launch(
                ["--concurrent-workers", "\(workers)"], command: try TestWorker.command("place"))
            try withSupervisor(launch) { supervisor in
                let started = try supervisor.waitFor(workers, "worker_started", within: .seconds(120))
                var told: [String: [String]] = [:]
                var seen = 0
                try supervisor.waitForOutput(within: .seconds(120)) { line in
                    let parts = line.split(separator: " ").map(String.init)
                    if parts.count == 3 { told[parts[0], default: []].append(parts[2]) }
                    seen += 1
                    return seen == 3 * workers
                }
                let leaves = Set(started.compactMap(\.cgroup))
                #expect(leaves.count == workers)
                for who in ["worker", "child", "grandchild"] {
                    #expect(told[who]?.count == workers)
                    #expect(Set(told[who] ?? []) == leaves, "\(who)")
                }
                try supervisor.waitFor("supervisor_ready")
                #expect(try supervisor.stop(within: .seconds(120)) == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
