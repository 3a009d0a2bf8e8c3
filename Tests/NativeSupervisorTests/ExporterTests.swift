import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// `sergeantcg exporter`, asked over HTTP.
    @Suite struct Exporter {
        private static func control(_ name: String) -> String {
            "/tmp/sergeantcg-test-\(getpid())-exporter-\(name)"
        }

        private static func launch(_ control: String, _ command: String...) -> Launch {
            Launch(["--control", control, "--concurrent-workers", "2"], command: command)
        }

        /// - Parameter options: curl's.
        private static func ask(
            _ exporter: ExporterProcess, _ path: String, _ options: String...
        ) throws -> (status: Int, type: String, body: String) {
            let (end, output) = try Tool.run(
                ["curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code} %{content_type}"]
                    + options + [exporter.url(path)])
            let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
            let words = lines.last?.split(separator: " ", maxSplits: 1) ?? []
            guard end == .code(0), let status = words.first.flatMap({ Int($0) }) else {
                throw HarnessFailure("curl ended with \(end): \(output)")
            }
            return (
                status, words.count > 1 ? String(words[1]) : "", lines.dropLast().joined(separator: "\n")
            )
        }

        /// Asks until the answer has this status: one stands for half a second. Nobody tells when it is over.
        private static func ask(
            _ exporter: ExporterProcess, _ path: String, until status: Int
        ) throws -> (status: Int, type: String, body: String) {
            let deadline = ContinuousClock.now + SupervisorProcess.patience
            while true {
                let answer = try ask(exporter, path)
                if answer.status == status { return answer }
                guard ContinuousClock.now < deadline else {
                    throw HarnessFailure("\(path) stays at \(answer.status), not \(status): \(answer.body)")
                }
            }
        }

        @Test func metricsComeAsTheClientWantsThem() throws {
            let control = Self.control("metrics")
            try withSupervisor(Self.launch(control, "/bin/sleep", "600")) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let exporter = try ExporterProcess(control: control)
                let plain = try Self.ask(exporter, "/metrics")
                #expect(plain.status == 200 && plain.type == "text/plain; version=0.0.4; charset=utf-8")
                #expect(plain.body.contains("\nsergeantcg_group_workers_ready{group=\"sleep\"} 2\n"))
                #expect(!plain.body.contains("# EOF"))
                let open = try Self.ask(
                    exporter, "/metrics?x=y", "--header",
                    "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
                #expect(open.type == "application/openmetrics-text; version=1.0.0; charset=utf-8")
                #expect(open.body.hasSuffix("# EOF\n"))
                #expect(open.body.contains("# TYPE sergeantcg_worker_restarts counter\n"))
                let status = try Self.ask(exporter, "/status")
                #expect(status.type == "application/json")
                #expect(JSONValue.parse(status.body.utf8)?["pid"]?.integer == Int64(supervisor.pid))
            }
        }

        @Test func healthIsTheSupervisors() throws {
            let control = Self.control("health")
            let exporter: ExporterProcess
            do {
                let failing = Self.launch(control, "/bin/sh", "-c", "sleep 0.05; exit 1")
                exporter = try withSupervisor(failing) { supervisor in
                    try supervisor.waitFor("supervisor_started")
                    let exporter = try ExporterProcess(control: control)
                    let health = try Self.ask(exporter, "/healthz")
                    #expect(health.status == 200 && health.body == "\(supervisor.name) answers\n")
                    #expect(try supervisor.stop() == .code(0))
                    return exporter
                }
            }
            for path in ["/healthz", "/readyz", "/metrics", "/status"] {
                let answer = try Self.ask(exporter, path, until: 503)
                #expect(answer.body.contains("no supervisor at \(control) is running here"), "\(answer.body)")
            }
            // The next one is found by itself.
            try withSupervisor(Self.launch(control, "/bin/sleep", "600")) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let answer = try Self.ask(exporter, "/readyz", until: 200)
                #expect(answer.body == "\(supervisor.name) is ready\n")
            }
        }

        @Test func whoIsNotReadyIsUnavailable() throws {
            let control = Self.control("unready")
            let launch = Launch(
                ["--control", control, "--notify"], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("worker_started")
                let exporter = try ExporterProcess(control: control)
                let ready = try Self.ask(exporter, "/readyz")
                #expect(ready.status == 503 && ready.body == "\(supervisor.name) is starting\n")
                #expect(try Self.ask(exporter, "/healthz").status == 200)
            }
        }

        /// What has occurred, what does, and after the number that a reader names only what it has not seen.
        @Test func eventsAreTold() throws {
            let control = Self.control("events")
            let path = Self.control("events-read")
            defer { unlink(path) }
            try withSupervisor(Self.launch(control, "/bin/sleep", "600")) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let exporter = try ExporterProcess(control: control)
                let reader = try Tool.start([
                    "curl", "--silent", "--no-buffer", "--output", path, exporter.url("/events"),
                ])
                defer { kill(reader.pid, SIGKILL) }
                try supervisor.waitUntil("the past was told") {
                    TextFile.read(path)?.contains("supervisor_ready") == true
                }
                kill(try #require(supervisor.lines.compactMap(\.pid).first), SIGKILL)
                try supervisor.waitUntil("the present was told") {
                    TextFile.read(path)?.contains("was respawned as") == true
                }
                let blocks = try #require(TextFile.read(path)).split(separator: "\n\n").map(String.init)
                let numbers = blocks.compactMap { $0.split(separator: "\n").first?.dropFirst("id: ".count) }
                    .compactMap { Int($0) }
                #expect(numbers == Array(1...numbers.count), "\(blocks)")
                let (_, rest) = try Tool.run([
                    "curl", "--silent", "--no-buffer", "--max-time", "3", "--header",
                    "Last-Event-ID: \(numbers.count - 1)", exporter.url("/events"),
                ])
                #expect(rest.hasPrefix("id: \(numbers.count)\n"), "\(rest)")
            }
        }

        @Test func whatIsNotThereIsSaidSo() throws {
            let control = Self.control("paths")
            try withSupervisor(Self.launch(control, "/bin/sleep", "600")) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let exporter = try ExporterProcess(control: control)
                #expect(try Self.ask(exporter, "/nothing").status == 404)
                #expect(try Self.ask(exporter, "/../etc/passwd", "--path-as-is").status == 404)
                #expect(try Self.ask(exporter, "/", "--data", "x").status == 405)
                #expect(try Self.ask(exporter, "/metrics", "--request", "DELETE").status == 405)
                let page = try Self.ask(exporter, "/", "--include")
                #expect(page.body.contains("content-security-policy: default-src 'self'"))
                #expect(!page.body.contains("//"), "no other host is named")
                let head = try Self.ask(exporter, "/metrics", "--head")
                #expect(head.status == 200 && !head.body.contains("sergeantcg_ready"))
            }
        }

        /// Heads and bodies without end, garbage, half questions, readers that do not read, hundreds of connections.
        @Test func abuseIsBounded() throws {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let control = Self.control("abuse")
            try withSupervisor(Self.launch(control, "/bin/sleep", "600")) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                let exporter = try ExporterProcess(control: control)
                let (status, output) = try Tool.run([
                    "timeout", "100", python, "Tests/Exporter/abuse", "\(exporter.port)", "\(exporter.pid)",
                ])
                #expect(status == .code(0), "\(output)")
                #expect(try Self.ask(exporter, "/readyz").status == 200)
                #expect(!supervisor.lines.contains { $0.event == "worker_exited" })
            }
        }

        /// Of two hundred workers the page shows each, small, on few screens; of a few among them all that is known. The one that
        /// waits holds nothing, and is not said to be unaccounted.
        @Test func twoHundredWorkersFitThePage() throws {
            let python = try #require(getenv("SERGEANTCG_PYTHON").map { String(cString: $0) })
            let control = Self.control("crowd")
            let file = control + ".yaml"
            defer { unlink(file) }
            let groups = """
                groups:
                  sleeps: {command: [/bin/sleep, "600"], concurrent-workers: 199}
                  fails: {command: [/bin/false], backoff-initial: 1h, backoff-max: 1h}
                """
            try #require(TextFile.write(groups, to: file, creating: true) == 0)
            try withSupervisor(Launch(["--control", control, "--config", file])) { supervisor in
                try supervisor.waitFor(200, "worker_started")
                try supervisor.waitFor("worker_backoff")
                let exporter = try ExporterProcess(control: control)
                let (status, output) = try Tool.run([
                    "timeout", "200", python, "Tests/Exporter/crowd", exporter.url("/"), "200",
                ])
                try #require(status == .code(0), "\(output)")
                let seen = try #require(JSONValue.parse(output.utf8), "\(output)")
                #expect(seen["height"]?.integer ?? .max < 3 * 800, "\(output)")
                #expect(seen["page"]?.integer ?? .max < 3 * 800, "\(output)")
                #expect(seen["slots"]?.integer == 200 && seen["names cut off"]?.integer == 0, "\(output)")
                #expect(seen["cut off"]?.integer == 0, "\(output)")
                #expect(seen["tooltip"]?.text?.contains("PID ") == true, "\(output)")
                #expect(seen["waiting"] == .list([.text("nothing")]), "\(output)")
                #expect(seen["facts"] == .bool(false) && seen["facts of few"] == .bool(true), "\(output)")
                // 7 and 70 to 79.
                #expect(seen["filtered"]?.integer == 11, "\(output)")
                #expect(seen["complaints"] == .list([]), "\(output)")
                #expect(try supervisor.stop() == .code(0))
            }
        }

        @Test(arguments: [
            (["--listen", "nowhere"], Int32(64), "'nowhere' is not of the form ADDRESS:PORT"),
            (["--listen", "localhost:1"], 64, "is no address in digits"),
            (["--listen", "127.0.0.1:0"], 64, "takes 1 to 65535"),
            (["--lisen", "127.0.0.1:1"], 64, "Did you mean '--listen'?"),
            (
                ["--listen", "203.0.113.1:1"], 1,
                "cannot serve at 203.0.113.1:1: Cannot assign requested address"
            ),
        ])
        func whatItCannotDoItSays(arguments: [String], code: Int32, words: String) throws {
            let (status, output) = try Tool.run([try SupervisorProcess.program(), "exporter"] + arguments)
            #expect(status == .code(code))
            #expect(output.hasPrefix("sergeantcg-exporter: ") && output.contains(words), "\(output)")
        }

        /// A supervisor without its exporter says what is missing.
        @Test func withoutItsProgramItIsSaidSo() throws {
            let directory = Self.control("alone")
            try Tool.mustRun(["mkdir", directory])
            defer { _ = try? Tool.run(["rm", "-r", directory]) }
            try Tool.mustRun(["cp", try SupervisorProcess.program(), "\(directory)/sergeantcg"])
            let (status, output) = try Tool.run(["\(directory)/sergeantcg", "exporter"])
            #expect(status == .code(1))
            #expect(
                output.contains("sergeantcg-exporter is neither beside sergeantcg nor on the PATH"),
                "\(output)")
        }
    }
}
