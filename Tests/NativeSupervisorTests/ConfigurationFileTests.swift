import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// Groups from a file.
    @Suite(.serialized) struct ConfigurationFiles {
        @Test func twoGroupsRunFromAFile() throws {
            let worker = try TestWorker.path()
            let yaml = """
                log-level: critical
                name: unheard
                defaults: {stop-timeout: 0.3}
                groups:
                  patient: {command: ["\(worker)", clean-up, "600"], stop-timeout: 20s, concurrent-workers: 2}
                  stubborn:
                    command: ["\(worker)", ignore-term]
                """
            try withFile(yaml) { file in
                // The flags that every test gives, --name and --log-format, stand above the file's.
                try withSupervisor(Launch(["--log-level", "info", "--config", file])) { supervisor in
                    try waitForOutput(supervisor, 3, "ready")
                    let started = try supervisor.waitFor(3, "worker_started")
                    #expect(
                        Set(started.compactMap(\.worker)) == ["patient-1", "patient-2", "stubborn-1"])
                    for line in started {
                        #expect(ProcessFacts(try #require(line.pid)).cgroup == line.cgroup)
                        #expect(line.cgroup?.hasSuffix("/\(line.slot ?? 0).1") == true)
                    }
                    #expect(try supervisor.stop() == .code(0))
                    #expect(supervisor.outputLines.count { $0 == "cleaned 1" } == 2)
                    let ends = supervisor.lines.filter { $0.event == "worker_exited" }
                    #expect(ends.count { $0.worker?.hasPrefix("patient-") == true && $0.exitCode == 0 } == 2)
                    #expect(ends.count { $0.worker == "stubborn-1" && $0.signal == SIGKILL } == 1)
                    expectNothingLeft(supervisor)
                }
            }
        }

        /// Whatever is wrong, in however late a group: nothing is started.
        @Test func aWrongFileStartsNothing() throws {
            let yaml = "groups:\n  a: {command: [/bin/true]}\n  b: {command: [/bin/true], memmory-max: 1G}\n"
            try withFile(yaml) { file in
                let sentence =
                    "sergeantcg: \(file):3:29: 'memmory-max' is no key of a group: did you mean 'memory-max'?"
                for arguments in [["run", "--config", file], ["--config=\(file)"], ["check", file]] {
                    var launch = Launch(arguments)
                    launch.addsName = false
                    launch.addsLogFormat = false
                    try withSupervisor(launch) { supervisor in
                        let status = try supervisor.waitForExit()
                        #expect(status == .code(78))
                        #expect(supervisor.strayLines == [sentence], "\(supervisor.transcript)")
                        #expect(supervisor.lines.isEmpty && supervisor.outputLines.isEmpty)
                        expectNothingLeft(supervisor)
                    }
                }
            }
        }

        /// What a worker finds around it: variables from a file, from the options and from us, its directory, its mask.
        @Test func aWorkersSurroundings() throws {
            let script = #"echo "$A $B $C $(pwd) $(umask)"; exec sleep 1000"#
            try withFile("# a file\nA=file\nB=\"file too\"\nC=\n") { variables in
                let options = [
                    "--env-file", variables, "--env", "A=flag", "--working-directory", "/usr/bin", "--umask",
                    "0137",
                ]
                var launch = Launch(options, command: ["./sh", "-c", script])
                launch.environment = ["B": "inherited", "C": "inherited"]
                try withSupervisor(launch) { supervisor in
                    let line = try supervisor.waitForOutput { _ in true }
                    #expect(line == "flag file too  /usr/bin 0137")
                    // Its own are what they were.
                    let own = "/proc/\(supervisor.pid)"
                    #expect(ProcessFacts(supervisor.pid).status("Umask") == "0022")
                    var target = [CChar](repeating: 0, count: 4096)
                    let count = readlink("\(own)/cwd", &target, target.count)
                    let directory = "/usr/bin".utf8.map { CChar(bitPattern: $0) }
                    #expect(count > 0 && !target.prefix(max(0, count)).elementsEqual(directory))
                    #expect(try supervisor.stop() == .code(0))
                    expectNothingLeft(supervisor)
                }
            }
        }

        @Test func aWorkingDirectoryThatIsNone() throws {
            for (directory, words) in [("/nonexistent", "No such file"), ("/etc/passwd", "not a directory")] {
                try withSupervisor(Launch(["--working-directory", directory], command: ["/bin/true"])) {
                    supervisor in
                    let status = try supervisor.waitForExit()
                    #expect(status == .code(1))
                    let sentence = supervisor.strayLines.first ?? ""
                    #expect(sentence.contains(directory) && sentence.contains(words), "\(sentence)")
                    expectNothingLeft(supervisor)
                }
            }
        }

        @Test func checkStartsNothing() throws {
            try withFile("groups: {a: {command: [/bin/false]}, b: {command: [x], concurrent-workers: 3}}") {
                file in
                var launch = Launch(["check", file])
                launch.addsName = false
                launch.addsLogFormat = false
                try withSupervisor(launch) { supervisor in
                    let status = try supervisor.waitForExit()
                    #expect(status == .code(0))
                    #expect(supervisor.outputLines == ["\(file) is right: a (1), b (3)"])
                    #expect(supervisor.strayLines.isEmpty && supervisor.lines.isEmpty)
                }
            }
        }
    }
}

/// A file with this text, removed afterwards.
func withFile(_ text: String, _ body: (String) throws -> Void) throws {
    var path = Array("/tmp/sergeantcg-test.XXXXXX".utf8CString)
    let file = mkstemp(&path)
    let name = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try #require(file >= 0)
    defer { unlink(name) }
    let bytes = Array(text.utf8)
    try #require(write(file, bytes, bytes.count) == bytes.count)
    close(file)
    try body(name)
}
