import Glibc
import SupervisorHarness
import Testing

extension Kernel {
    /// `--accounting`: what the kernel counted, where memory is.
    @Suite(.serialized) struct Account {
        /// A peak is what the worker was told to take, within 1 %, and the limits stand beside it.
        @Test func thePeakIsWhatWasTaken() throws {
            let path = "/tmp/sergeantcg-test-\(getpid())-account.jsonl"
            unlink(path)
            defer { unlink(path) }
            let launch = Launch(
                [
                    "--accounting", path, "--max-worker-memory-usage", "190M", "--memory-max", "200M",
                    "--pids-max", "9",
                ], command: try TestWorker.command("spike", "128M"))
            try supervise(launch) { supervisor in
                try supervisor.waitFor(3, "worker_exited")
                try supervisor.waitUntil("they are in the account") {
                    TextFile.read(path)?.split(separator: "\n").count ?? 0 >= 3
                }
                let lines = try #require(TextFile.read(path)).split(separator: "\n")
                    .compactMap { JSONValue.parse($0.utf8) }.filter { $0["reason"]?.text == "finished" }
                #expect(lines.count >= 3)
                for line in lines {
                    let peak = try #require(line["memory_peak"]?.integer)
                    #expect(abs(peak - 128 << 20) * 100 <= 128 << 20, "\(line)")
                    #expect(line["page_faults"]?.integer ?? 0 > 0, "\(line)")
                    #expect(
                        line["memory_limit"]?.integer == 190 << 20 && line["memory_max"]?.integer == 200 << 20
                    )
                    #expect(
                        line["pids_peak"].map { $0 == .integer(1) || $0 == .null } == true, "\(line)")
                }
            }
        }
    }
}
