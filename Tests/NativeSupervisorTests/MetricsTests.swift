import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// `sergeantcg metrics`, read by the parsers of those who scrape.
    @Suite struct MetricsCommand {
        private static func samples(
            _ supervisor: SupervisorProcess, _ format: String
        ) throws -> [String: Double] {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let path = "/tmp/sergeantcg-test-\(getpid())-metrics"
            defer { unlink(path) }
            let (status, text) = try Tool.sergeantcg("metrics", "--format", format, "--name", supervisor.name)
            #expect(status == .code(0), "\(text)")
            try #require(TextFile.write(text, to: path, creating: true) == 0)
            if format == "prometheus" {
                try Tool.mustRun(["/bin/sh", "-c", "exec promtool check metrics <\(path)"])
            }
            let read = try Tool.run([python, "Tests/Metrics/read", format, path])
            let object = try #require(JSONValue.parse(read.output.utf8), "\(read.output)\n\(text)")
            guard case .object(let members) = object else {
                throw HarnessFailure("no object: \(read.output)")
            }
            return members.compactMapValues { value in
                switch value {
                case .number(let number): number
                case .integer(let integer): Double(integer)
                default: nil
                }
            }
        }

        @Test(arguments: ["openmetrics", "prometheus"])
        func theyAreReadAsTheyAreMeant(format: String) throws {
            let launch = Launch(
                ["--concurrent-workers", "2", "--backoff-initial", "0.01"], command: ["/bin/sleep", "600"])
            try withSupervisor(launch) { supervisor in
                let first = try supervisor.waitFor("worker_started") { $0.slot == 2 }
                Glibc.kill(try #require(first.pid), SIGKILL)
                let second = try supervisor.waitFor("worker_started") { $0.slot == 2 && $0.incarnation == 2 }
                let samples = try Self.samples(supervisor, format)
                #expect(samples["sergeantcg_ready"] == 1)
                #expect(samples["sergeantcg_build_info name=\(supervisor.name) version=0.1.0"] == 1)
                #expect(samples["sergeantcg_group_workers_desired group=sleep"] == 2)
                #expect(samples["sergeantcg_group_workers_ready group=sleep"] == 2)
                #expect(samples["sergeantcg_group_workers group=sleep state=ready"] == 2)
                #expect(samples["sergeantcg_group_workers group=sleep state=waiting"] == 0)
                #expect(samples["sergeantcg_worker_ready group=sleep slot=1"] == 1)
                #expect(
                    samples["sergeantcg_worker_restarts_total group=sleep reason=crashed slot=2"] == 1)
                #expect(samples["sergeantcg_worker_restarts_total group=sleep reason=crashed slot=1"] == 0)
                #expect(samples["sergeantcg_worker_restarts_total group=sleep reason=oom_killed slot=1"] == 0)
                let started = try #require(samples["sergeantcg_worker_start_time_seconds group=sleep slot=2"])
                let logged = Double(try #require(second.microseconds)) / 1e6
                #expect(abs(started - logged) < 1, "\(started) \(logged)")
                let time = try #require(samples["sergeantcg_worker_cpu_seconds_total group=sleep slot=2"])
                #expect(time > 0 && time < 1, "\(time)")
                // What would grow without end.
                #expect(!samples.keys.contains { $0.contains("pid=") || $0.contains("incarnation=") })
                #expect(try supervisor.stop() == .code(0))
                #expect(try Tool.sergeantcg("metrics", "--name", supervisor.name).status == .code(69))
            }
        }
    }
}
