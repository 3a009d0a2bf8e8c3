import Glibc
import SupervisorHarness
import Testing

extension Systemd {
    /// systemd's own client of Varlink, against a service.
    @Suite struct Varlinkctl {
        private static let control = "/run/varlinkctl-test/control"
        private static let service = Service(
            ["--control", control], worker: ["sleep"], lines: ["RuntimeDirectory=varlinkctl-test"])

        private static func varlinkctl(_ words: String...) throws -> String {
            let (status, output) = try Tool.run(["varlinkctl", "--no-pager"] + words)
            guard status == .code(0) else {
                throw HarnessFailure("varlinkctl \(words) ended with \(status): \(output)")
            }
            return output
        }

        /// Its declarations, sorted, as words and signs: varlinkctl puts types first and breaks lines in its own way.
        private static func declarations(_ interface: String) -> [String] {
            let words = interface.split(separator: "\n").filter { !$0.hasPrefix("#") }
                .joined(separator: " ")
                .replacing("(", with: " ( ").replacing(")", with: " ) ").replacing(",", with: " , ")
                .split(whereSeparator: \.isWhitespace)
            var declarations: [[Substring]] = []
            for word in words {
                if declarations.isEmpty || ["interface", "type", "method", "error"].contains(word) {
                    declarations.append([])
                }
                declarations[declarations.endIndex - 1].append(word)
            }
            return declarations.map { $0.joined(separator: " ") }.sorted()
        }

        @Test func theInterfaceIsTheFile() throws {
            try withUnit(Self.service) { unit, _ in
                try unit.start()
                let told = try Self.varlinkctl("list-interfaces", Self.control)
                #expect(
                    told.split(separator: "\n").sorted() == [
                        "io.sergeantcg.Supervisor", "org.varlink.service",
                    ])
                let file =
                    "\(Installed.checkout)/Sources/SergeantCG/Control/io.sergeantcg.Supervisor.varlink"
                let served = try Self.varlinkctl("introspect", Self.control, "io.sergeantcg.Supervisor")
                #expect(Self.declarations(served) == Self.declarations(try #require(TextFile.read(file))))
            }
        }

        @Test func methodsAreCalled() throws {
            try withUnit(Self.service) { unit, journal in
                try unit.start()
                let name = "io.sergeantcg.Supervisor"
                let status = try Self.varlinkctl(
                    "--json=short", "call", Self.control, "\(name).GetStatus", "{}")
                let report = try #require(JSONValue.parse(status.utf8), "\(status)")
                #expect(report["state"]?.text == "ready")
                #expect(report["pid"]?.integer == Int64(try unit.number("MainPID")))
                let group = try #require(report["groups"]?[0]?["name"]?.text)
                let scaled = try Self.varlinkctl(
                    "--json=short", "call", Self.control, "\(name).Scale",
                    #"{"group":"\#(group)","workers":2}"#)
                #expect(JSONValue.parse(scaled.utf8) == .object(["before": .integer(1)]))
                try journal.waitForLine("worker_started") { $0.slot == 2 }
                let (refusal, said) = try Tool.run([
                    "varlinkctl", "call", Self.control, "\(name).Scale", #"{"group":"none","workers":2}"#,
                ])
                #expect(refusal != .code(0) && said.contains("\(name).NoSuchTarget"), "\(said)")
            }
        }

        @Test func whatOccursIsFollowed() throws {
            try withUnit(Self.service) { unit, journal in
                try unit.start()
                let first = try journal.waitForLine("worker_started")
                let path = "/run/varlinkctl-test/watched"
                let output = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                try #require(output >= 0)
                let client = try Tool.start(
                    [
                        "varlinkctl", "--more", "--json=short", "call", Self.control,
                        "io.sergeantcg.Supervisor.Watch", "{}",
                    ], output: output)
                close(output)
                defer {
                    kill(client.pid, SIGKILL)
                    _ = try? client.waitForEnd()
                }
                try pollUntil("the start is told") {
                    TextFile.read(path)?.contains("\"worker_started\"") == true
                }
                kill(try #require(first.pid), SIGKILL)
                try pollUntil("the end is told") {
                    TextFile.read(path)?.contains("\"crashed\"") == true
                }
            }
        }
    }
}
