import CgroupKit
import Glibc
import Testing

extension NativeCgroup {
    /// The example of the documentation, word for word; a pure test compares the two.
    @Suite(.serialized) struct Example {
        @Test func theDocumentedExampleRuns() throws {
            // BEGIN EXAMPLE
            let root = try Cgroup.open(Mount.find().mountPoint)
            let worker = try root.makeChild("example.\(getpid())")

            let sleep = ProcessSpecification(
                executable: "/bin/sleep", arguments: ["sleep", "1000"], environment: [])
            let process = try worker.spawn(PreparedProcess(sleep))
            print("\(process.pid) runs in \(worker.path), alone: \(try worker.processes() == [process.pid])")

            try worker.kill()
            try worker.waitUntilEmpty(timeoutMicroseconds: 5_000_000)
            let exit = try reap(pidfd: process.pidfd)
            print("ended: \(exit == .signaled(SIGKILL, coreDumped: false))")
            print("CPU time: \(try worker.cpuStat().usageMicroseconds) µs")
            try root.removeChild("example.\(getpid())")
            // END EXAMPLE
            #expect(exit == .signaled(SIGKILL, coreDumped: false))
            #expect(try !root.children().contains("example.\(getpid())"))
        }
    }
}
