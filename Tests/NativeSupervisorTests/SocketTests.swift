import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    @Suite(.serialized) struct Sockets {
        /// A path that no other test uses.
        private static func path(_ name: String) -> String { "/tmp/sergeantcg-test-\(getpid())-\(name).sock" }

        /// 200 workers are killed under two clients that connect without pause: none is refused. The names are kept,
        /// LISTEN_PID is the worker's own, and nothing else comes with the sockets.
        @Test func noConnectionIsRefusedWhileWorkersDie() throws {
            let port = try FreePort.find()
            let path = Self.path("deaths")
            let launch = Launch(
                [
                    "--concurrent-workers", "4", "--backoff-initial", "0.01", "--backoff-max", "0.01",
                    "--listen",
                    "web=tcp://127.0.0.1:\(port)", "--listen", "unix://\(path),mode=0640",
                ], command: try TestWorker.command("serve"))
            try withSupervisor(launch) { supervisor in
                let first = try supervisor.waitForOutput { $0.hasPrefix("serving") }
                #expect(first.hasPrefix("serving 2 web:unix-\(path) ours "), "\(first)")
                var status = stat()
                #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o640)
                let clients = [
                    try Connector(["tcp", "127.0.0.1", "\(port)"]), try Connector(["unix", path]),
                ]
                for number in 0..<200 {
                    let line = try supervisor.waitForOutput(from: number) { $0.hasPrefix("serving") }
                    let pid = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
                    if number == 100 {
                        let descriptors = ProcessFacts(pid).descriptors.keys
                        #expect(Set(descriptors).isSuperset(of: [0, 1, 2, 3, 4]) && descriptors.count <= 6)
                    }
                    kill(pid, SIGKILL)
                }
                let tallies = try clients.map { try $0.finish() }
                for tally in tallies {
                    #expect(tally.refused == 0, "\(tally)")
                    #expect(tally.made > 100, "\(tally)")
                }
                #expect(supervisor.outputLines.allSatisfy { $0.contains(" ours ") })
                #expect(try supervisor.stop() == .code(0))
                #expect(access(path, F_OK) != 0, "the socket file is left")
                expectNothingLeft(supervisor)
            }
        }

        /// As systemd passes them: by number, with names, for this process alone. They come first, and the variables
        /// that were the supervisor's are gone.
        @Test func passedSocketsAreHandedOn() throws {
            let path = Self.path("passed")
            let port = try FreePort.find()
            var launch = Launch(
                ["--listen", "own=tcp://127.0.0.1:\(port)"], command: try TestWorker.command("inherited"))
            launch.wrapper = ["/usr/bin/env", "python3", "-c", Self.passing, path, "first", "second"]
            try withSupervisor(launch) { supervisor in
                try supervisor.waitForOutput { $0 == "end" }
                let lines = supervisor.outputLines
                let descriptors = lines.filter { $0.hasPrefix("descriptor ") }
                #expect(descriptors.map { $0.split(separator: " ")[1] } == ["0", "1", "2", "3", "4", "5"])
                #expect(descriptors.suffix(3).allSatisfy { $0.contains("socket:") }, "\(descriptors)")
                let pid = try #require(supervisor.waitFor("worker_started").pid)
                for variable in ["LISTEN_FDS=3", "LISTEN_FDNAMES=first:second:own", "LISTEN_PID=\(pid)"] {
                    #expect(
                        lines.filter { $0 == "environment \(variable)" }.count == 1, "\(variable) in \(lines)"
                    )
                }
                #expect(try supervisor.stop() == .code(0))
            }
            #expect(access("\(path).first", F_OK) == 0, "what was passed is not ours to remove")
            for name in ["first", "second"] { unlink("\(path).\(name)") }
        }

        /// libsystemd is what takes them: where it is not, that is said, and nobody else misses it.
        @Test func withoutLibsystemdNoneCanBePassed() throws {
            let libraries = try Tool.run(["/sbin/ldconfig", "-p"]).output.split(separator: "\n")
            let library = try #require(
                libraries.first { $0.contains("libsystemd.so.0 ") }?.split(separator: " ").last)
            let hiding = [
                "unshare", "--mount", "/bin/sh", "-c", #"mount --bind /dev/null "$0" && exec "$@""#,
                String(library),
            ]
            var launch = Launch([], command: ["/bin/sleep", "600"])
            launch.wrapper = hiding
            try withSupervisor(launch) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                #expect(try supervisor.stop() == .code(0))
            }
            let path = Self.path("unseen")
            launch.wrapper =
                hiding + ["/usr/bin/env", "python3", "-c", Self.passing, path, "first", "second"]
            try withSupervisor(launch) { supervisor in
                let end = try supervisor.waitForExit()
                #expect(end == .code(1))
                #expect(supervisor.lines.isEmpty)
                let sentence = supervisor.strayLines.first ?? ""
                #expect(
                    sentence.contains("LISTEN_FDS") && sentence.contains("libsystemd.so.0"), "\(sentence)")
                expectNothingLeft(supervisor)
            }
            for name in ["first", "second"] { unlink("\(path).\(name)") }
        }

        /// Binds two sockets, passes them as descriptors 3 and 4 and leaves another descriptor open.
        private static let passing = """
            import os, socket, sys
            path, names, command = sys.argv[1], sys.argv[2:4], sys.argv[4:]
            for number, name in enumerate(names, 3):
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(path + '.' + name)
                listener.listen()
                os.dup2(listener.detach(), number + 10)
            for number in (3, 4): os.dup2(number + 10, number)
            os.dup2(0, 9)
            os.environ.update(LISTEN_FDS='2', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=':'.join(names))
            os.execvp(command[0], command)
            """

        /// An address that another has: one sentence that names it, exit status 1, and no worker was started. The socket
        /// file of a program that has ended is replaced.
        @Test func addressesAreTakenOnlyFromTheDead() throws {
            let path = Self.path("stale")
            let port = try FreePort.find()
            let options = ["--listen", "unix://\(path)", "--listen", "tcp://127.0.0.1:\(port)"]
            let holder = Launch(options, command: try TestWorker.command("serve"))
            try withSupervisor(holder) { supervisor in
                try supervisor.waitForOutput { $0.hasPrefix("serving 2") }
                for (option, named) in [(options[1], path), (options[3], "127.0.0.1:\(port)")] {
                    let second = Launch(["--listen", option], command: try TestWorker.command("serve"))
                    try withSupervisor(second) { supervisor in
                        let end = try supervisor.waitForExit()
                        #expect(end == .code(1))
                        #expect(supervisor.lines.isEmpty)
                        #expect(supervisor.strayLines.count == 1)
                        let sentence = supervisor.strayLines.first ?? ""
                        #expect(sentence.contains(named) && sentence.contains("in use"), "\(sentence)")
                        expectNothingLeft(supervisor)
                    }
                }
                supervisor.signal(SIGKILL)
                try supervisor.waitForExit()
            }
            #expect(access(path, F_OK) == 0, "a killed supervisor removed its socket file")
            try withSupervisor(Launch(options, command: try TestWorker.command("serve"))) { supervisor in
                try supervisor.waitForOutput { $0.hasPrefix("serving 2") }
                #expect(try supervisor.stop() == .code(0))
            }
            let made = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
            #expect(made >= 0)
            close(made)
            defer { unlink(path) }
            try withSupervisor(Launch(options, command: try TestWorker.command("serve"))) { supervisor in
                let end = try supervisor.waitForExit()
                #expect(end == .code(1))
                #expect(access(path, F_OK) == 0, "a file that is no socket was removed")
            }
        }

        /// A `sergeant` worker's own two descriptors stand behind the sockets.
        @Test func sergeantWorkersAreHandedSocketsToo() throws {
            let port = try FreePort.find()
            let module = """
                import os
                from sergeant import worker
                class Worker(worker.Worker):
                    def generate_config(self):
                        ours = os.environ['LISTEN_PID'] == str(os.getpid())
                        raise Exception('sockets {} {}'.format(os.environ['LISTEN_FDS'], ours))
                """
            let directory = "/tmp/sergeantcg-test-\(getpid())-module"
            mkdir(directory, 0o700)
            let file = open(
                "\(directory)/listening_worker.py", O_CREAT | O_WRONLY | O_CLOEXEC | O_TRUNC, 0o600)
            let text = Array(module.utf8)
            #expect(write(file, text, text.count) == text.count)
            close(file)
            defer {
                _ = try? Tool.run(["rm", "-r", directory])
            }
            guard let python = getenv("SERGEANTCG_PYTHON").map({ String(cString: $0) }) else {
                throw HarnessFailure("SERGEANTCG_PYTHON does not say which Python has sergeant")
            }
            var launch = Launch([
                "--worker-module", "listening_worker", "--worker-class", "Worker", "--python", python,
                "--listen",
                "tcp://127.0.0.1:\(port)",
            ])
            launch.workingDirectory = directory
            try withSupervisor(launch) { supervisor in
                // What it raised came over the descriptor behind the socket.
                let end = try supervisor.waitFor("worker_exited")
                #expect(end.exception?.contains("sockets 1 True") == true, "\(end.exception ?? "-")")
                #expect(try supervisor.stop() == .code(0))
            }
        }
    }
}
