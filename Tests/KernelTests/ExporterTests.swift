import Glibc
import SupervisorHarness
import Testing

extension Kernel {
    /// `sergeantcg exporter`, seen by those it is for, while workers leak and are recycled.
    @Suite(.serialized) struct Exporter {
        /// - Parameters:
        ///   - step: how many bytes more a worker holds ten times a second.
        ///   - body: is given the Python of the tests too, and the file without which nobody leaks.
        private func withLeakingPool(
            _ name: String, step: Int,
            _ body: (SupervisorProcess, ExporterProcess, _ python: String, _ leak: String) throws -> Void
        ) throws {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let directory = "/tmp/sergeantcg-test-\(getpid())-\(name)"
            try Tool.mustRun(["mkdir", directory])
            defer { _ = try? Tool.run(["rm", "-r", directory]) }
            let leak = "\(directory)/leak"
            try #require(TextFile.write("", to: leak, creating: true) == 0)
            let launch = Launch(
                [
                    "--control", "\(directory)/control", "--concurrent-workers", "2",
                    "--max-worker-memory-usage", "24M", "--memory-max", "64M", "--pids-max", "9",
                ], command: [python, "Tests/Exporter/leaking-worker", "\(step)", leak])
            try supervise(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                try body(supervisor, try ExporterProcess(control: "\(directory)/control"), python, leak)
            }
        }

        /// Chromium shows memory that changes, a worker that is recycled and its reason, and complains of nothing.
        @Test func thePageIsLive() throws {
            try withLeakingPool("page", step: 150_000) { supervisor, exporter, python, _ in
                let (status, output) = try Tool.run([
                    "timeout", "300", python, "Tests/Exporter/page", exporter.url("/"), "\(supervisor.pid)",
                ])
                try #require(status == .code(0), "\(output)")
                let seen = try #require(JSONValue.parse(output.utf8), "\(output)")
                #expect(
                    seen["memory"]?.text?.contains("MiB of 24.0 MiB, 64.0 MiB, peak") == true, "\(output)")
                #expect(seen["births"]?.integer ?? 0 >= 1, "\(output)")
                #expect(seen["reasons"]?.text?.contains("memory_limit") == true, "\(output)")
                #expect(seen["title"]?.text?.hasSuffix("/2 \(supervisor.name)") == true, "\(output)")
                #expect(seen["workers"]?.integer == 2, "\(output)")
                #expect(seen["filtered"]?.integer == 1, "\(output)")
                #expect(seen["has two grounds"] == .bool(true), "\(output)")
                #expect(seen["complaints"] == .list([]), "\(output)")
                #expect(seen["away"]?.text?.contains("no supervisor") == true, "\(output)")
                #expect(try supervisor.waitForExit() == .code(0))
            }
        }

        /// Prometheus scrapes it without a complaint; a rule of ours fires while workers leak, and ends when they do not.
        @Test func prometheusIsAlarmedAndCalmsDown() throws {
            try withLeakingPool("prometheus", step: 800_000) { supervisor, exporter, python, leak in
                let (status, output) = try Tool.run([
                    "timeout", "500", python, "Tests/Exporter/prometheus", "127.0.0.1:\(exporter.port)",
                    "share/prometheus/sergeantcg.rules.yml", "SergeantcgRecycleStorm", leak,
                    "share/grafana/sergeantcg.json",
                ])
                try #require(status == .code(0), "\(output)")
                let last = output.split(separator: "\n").last.map(String.init) ?? ""
                let said = try #require(JSONValue.parse(last.utf8), "\(output)")
                #expect(said["error"] == .text(""), "\(output)")
                #expect(said["types"]?["sergeantcg_worker_restarts"] == .text("counter"), "\(output)")
                #expect(said["types"]?["sergeantcg_worker_memory_bytes"] == .text("gauge"), "\(output)")
                #expect(said["firing"] == .list([]), "\(output)")
                #expect(said["without an answer"] == .list([]), "\(output)")
                // No more than the log says in the end.
                #expect(try supervisor.stop() == .code(0))
                let recycled = try #require(said["recycled"]?.text.flatMap { Int($0) }, "\(output)")
                let told = supervisor.lines.count {
                    $0.event == "worker_exited" && $0.reason == "memory_limit"
                }
                #expect(recycled >= 7 && recycled <= told, "\(recycled) of \(told)")
            }
        }
    }
}
