import Glibc
import SupervisorHarness
import Testing

extension Kernel {
    /// Limits that another configuration brings.
    @Suite(.serialized) struct NewLimits {
        /// After a reload the kernel has them, and the status tells of them.
        @Test func areTheKernelsAndTheStatussAfterAReload() throws {
            let file = "/tmp/sergeantcg-test-\(getpid())-limits.yaml"
            defer { unlink(file) }
            func write(_ recycle: Int, _ hard: Int) throws {
                let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                try #require(descriptor >= 0)
                close(descriptor)
                let limits = "max-worker-memory-usage: \(recycle)M, memory-max: \(hard)M"
                let text = "groups: {a: {command: [\"\(try TestWorker.path())\", sleep], \(limits)}}\n"
                try #require(TextFile.write(text, to: file) == 0)
            }
            try write(32, 64)
            try supervise(Launch(["--config", file])) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                for (number, recycle, hard) in [(1, 32, 64), (2, 48, 96)] {
                    if number > 1 {
                        try write(recycle, hard)
                        supervisor.signal(SIGHUP)
                        #expect(try supervisor.waitFor("supervisor_reloaded").level == "info")
                    }
                    let client = try ControlCaller(ControlCaller.path(supervisor.name))
                    client.call("GetStatus")
                    let group = try #require(try client.receive()?["parameters"]?["groups"]?[0])
                    let worker = try #require(group["workers"]?[0], "\(group)")
                    #expect(worker["incarnation"]?.integer == Int64(number))
                    #expect(worker["memory"]?["limit"]?.integer == Int64(recycle) << 20)
                    #expect(worker["memory"]?["max"]?.integer == Int64(hard) << 20)
                    let started = try #require(try supervisor.waitFor(number, "worker_started").last)
                    let leaf = try supervisor.directory(of: started)
                    #expect(TextFile.read("\(leaf)/memory.max") == "\(hard << 20)\n")
                }
            }
        }
    }
}
