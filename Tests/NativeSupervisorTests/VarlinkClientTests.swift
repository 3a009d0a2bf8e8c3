import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// Others' implementations of Varlink, as clients.
    @Suite struct VarlinkClients {
        @Test func pythonsTalksToIt() throws {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let path = "/tmp/sergeantcg-test-\(getpid())-varlink"
            defer { unlink(path) }
            let launch = Launch(
                ["--control", path, "--concurrent-workers", "2"], command: ["/bin/sleep", "600"])
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let (status, output) = try Tool.run([
                    "timeout", "60", python, "Tests/Varlink/client", path, "sleep",
                ])
                #expect(status == .code(0), "\(output)")
                let answers = try #require(JSONValue.parse(output.utf8), "\(output)")
                #expect(
                    answers["interfaces"]
                        == .list([.text("org.varlink.service"), .text("io.sergeantcg.Supervisor")]))
                #expect(answers["state"]?.text == "ready")
                #expect(answers["before"]?.integer == 2)
                #expect(
                    answers["error"]
                        == .list([
                            .text("io.sergeantcg.Supervisor.NoSuchTarget"),
                            .object(["target": .text("nothing")]),
                        ]))
                try supervisor.waitFor("worker_started") { $0.slot == 3 }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
