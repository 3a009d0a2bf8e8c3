import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Output {
        private func withFile(_ body: (String) throws -> Void) throws {
            let path = "/tmp/sergeantcg-output-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            defer { unlink(path) }
            try body(path)
        }

        private func lines(_ path: String) -> [String] {
            TextFile.read(path)?.split(separator: "\n").map(String.init) ?? []
        }

        /// Both descriptors of every worker, in one file that is added to.
        @Test func aFileTakesWhatAllWorkersPrint() throws {
            try withFile { path in
                let launch = Launch(
                    ["--concurrent-workers", "3", "--output", path],
                    command: ["/bin/sh", "-c", "echo out $SERGEANT_WORKER; echo err >&2; exec sleep 1000"])
                try withSupervisor(launch) { supervisor in
                    try supervisor.waitUntil("three workers have printed") { lines(path).count == 6 }
                    #expect(Set(lines(path)) == ["out sh-1", "out sh-2", "out sh-3", "err"])
                    var status = stat()
                    #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 & ~0o640 == 0)
                    #expect(supervisor.strayLines.isEmpty, "\(supervisor.strayLines)")
                    #expect(try supervisor.stop() == .code(0))
                }
            }
        }

        @Test(arguments: ["/nowhere/at/all", "/tmp/"]) func aFileThatCannotBeWrittenIsNamed(path: String)
            throws
        {
            let launch = Launch(["--output", path], command: try TestWorker.command("sleep"))
            try withSupervisor(launch) { supervisor in
                let end = try supervisor.waitForExit()
                #expect(end == .code(78))
                #expect(supervisor.transcript.contains("cannot write the workers' output to \(path): "))
                expectNothingLeft(supervisor)
            }
        }

        /// A pipe into which the lines go marked, whatever a worker's pieces were.
        @Test func linesBehindNames() throws {
            try withFile { path in
                var launch = Launch(
                    ["--concurrent-workers", "2", "--output", "prefix"],
                    command: [
                        "/bin/sh", "-c",
                        "printf one; echo ' two' >&2; seq 20000; printf end; exec sleep 1000",
                    ])
                launch.wrapper = ["/bin/sh", "-c", "exec \"$@\" >\(path)", "-"]
                try withSupervisor(launch) { supervisor in
                    try supervisor.waitUntil("both have printed all") { lines(path).count == 2 * 20001 }
                    #expect(try supervisor.stop() == .code(0))
                    let all = lines(path)
                    for worker in ["sh-1", "sh-2"] {
                        let own = all.filter { $0.hasPrefix("\(worker) | ") }.map { $0.dropFirst(7) }
                        #expect(
                            own.first == "one two"
                                && own.dropFirst().dropLast().elementsEqual(
                                    (1...20000).map { "\($0)"[...] })
                        )
                        // What had no end when the worker died.
                        #expect(own.last == "end")
                    }
                    #expect(all.count == 2 * 20002)
                }
            }
        }
    }
}
