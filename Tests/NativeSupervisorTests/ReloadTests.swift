import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// SIGHUP: the file is read again while its workers run.
    @Suite(.serialized) struct Reloads {
        private static let file = "/tmp/sergeantcg-test-\(getpid())-reload.yaml"

        private func write(_ groups: String...) throws {
            let text = "groups:\n" + groups.map { "  \($0)\n" }.joined()
            let descriptor = open(Self.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            try #require(descriptor >= 0)
            close(descriptor)
            try #require(TextFile.write(text, to: Self.file) == 0)
        }

        private func group(_ name: String, _ more: String = "", workers: Int = 2) throws -> String {
            "\(name): {command: [\"\(try TestWorker.path())\", sleep], concurrent-workers: \(workers)\(more)}"
        }

        /// The worker's process ID, as the log has it last.
        private func pids(_ supervisor: SupervisorProcess, of group: String) -> [String: Int32] {
            supervisor.readAvailable()
            var pids: [String: Int32] = [:]
            for line in supervisor.lines where line.group == group {
                guard let worker = line.worker, let pid = line.pid else { continue }
                if line.event == "worker_started" { pids[worker] = pid }
                if line.event == "worker_exited", pids[worker] == pid { pids[worker] = nil }
            }
            return pids
        }

        /// Sends SIGHUP and waits for the end of what comes of it.
        private func reload(_ supervisor: SupervisorProcess, _ count: Int) throws -> Line {
            supervisor.signal(SIGHUP)
            return try #require(try supervisor.waitFor(count, "supervisor_reloaded").last)
        }

        /// What differs is put into effect, one worker after the other; what does not is not touched.
        @Test func whatDiffersIsPutIntoEffect() throws {
            defer { unlink(Self.file) }
            try write(group("rolls"), group("stays"), group("grows", workers: 1), group("goes"))
            try withSupervisor(Launch(["--config", Self.file])) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let before = ["rolls", "stays", "grows", "goes"].map { pids(supervisor, of: $0) }
                #expect(before.map(\.count) == [2, 2, 1, 2])
                try write(
                    group("rolls", ", env: {A: b}"), group("stays"), group("grows", workers: 3),
                    group("comes"))
                #expect(try reload(supervisor, 1).level == "info")
                try supervisor.waitFor(2, "worker_exited") { $0.group == "goes" && $0.reason == "scale_down" }
                try supervisor.waitFor(2, "worker_started") { $0.group == "comes" }
                try supervisor.waitFor(3, "worker_started") { $0.group == "grows" }
                let after = ["rolls", "stays", "grows", "goes"].map { pids(supervisor, of: $0) }
                #expect(after.map(\.count) == [2, 2, 3, 0])
                #expect(Set(after[0].values).isDisjoint(with: before[0].values))
                #expect(after[1] == before[1])
                #expect(after[2]["grows-1"] == before[2]["grows-1"])
                for pid in after[0].values {
                    let environment = try #require(TextFile.read("/proc/\(pid)/environ"))
                    #expect(environment.split(separator: "\0").contains("A=b"))
                }
                // Ready before the next: never was there more than one of two without its worker.
                let starts = supervisor.lines.filter { $0.group == "rolls" && $0.event == "worker_started" }
                let stops = supervisor.lines.filter { $0.group == "rolls" && $0.event == "worker_stopping" }
                #expect(starts.count == 4 && stops.count == 2)
                if starts.count == 4, stops.count == 2 { #expect(stops[1].position > starts[2].position) }
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// A bad file changes nothing, and says where it is bad; a good one after it works.
        @Test func aBadFileChangesNothing() throws {
            defer { unlink(Self.file) }
            try write(group("a"))
            try withSupervisor(Launch(["--config", Self.file])) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let before = pids(supervisor, of: "a")
                try write(group("a", ", env: {A: b}"), "b: {command: [/bin/true], memmory-max: 1G}")
                let told = try reload(supervisor, 1)
                #expect(told.level == "error")
                #expect(told.message.contains("\(Self.file):3:"), "\(told.message)")
                // Every key is right, and there is no such program.
                try write(group("a", ", env: {A: b}"), "b: {command: [/nonexistent/program]}")
                #expect(try reload(supervisor, 2).message.contains("/nonexistent/program"))
                #expect(pids(supervisor, of: "a") == before)
                try write(group("a", ", env: {A: b}"))
                #expect(try reload(supervisor, 3).level == "info")
                #expect(Set(pids(supervisor, of: "a").values).isDisjoint(with: before.values))
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }

        /// Where there is nothing to read again it is what it is elsewhere: the end.
        @Test func withoutAFileItIsARequestToStop() throws {
            try withSupervisor(Launch([], command: try TestWorker.command("sleep"))) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                supervisor.signal(SIGHUP)
                #expect(try supervisor.waitForExit() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
