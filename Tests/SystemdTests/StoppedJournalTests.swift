import Glibc
import SupervisorHarness
import Testing

/// journald that takes nothing any more.
extension Systemd {
    @Suite(.serialized) struct StoppedJournal {
        private static let workers = 4
        /// Of each worker. All of them are more than what is kept for journald, 8 MB: each is an entry, and names the
        /// group twice.
        private static let statuses = 2300
        private static let group = String(repeating: "g", count: 200)
        private static let directory = "/run/sergeantcg-test-talkers"

        /// Says that it is ready, and when it is asked to, so many different things, each of which was heard before
        /// the next is said; asked once more, it ends.
        private static let talker = """
            import array, os, signal, socket
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            line.connect(os.environ["NOTIFY_SOCKET"])
            line.send(b"READY=1")
            signal.sigwait([signal.SIGUSR1])
            for number in range(\(statuses)):
                line.send(b"STATUS=" + str(number).encode().ljust(512, b"."))
                ours, theirs = os.pipe()
                line.sendmsg([b"BARRIER=1"],
                    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs]))])
                os.close(theirs)
                os.read(ours, 1)
                os.close(ours)
            open("\(directory)/said-" + os.environ["SERGEANT_SLOT"], "x")
            signal.sigwait([signal.SIGUSR1])

            """

        /// Supervision goes on, and afterwards the journal says how much is missing.
        @Test func holdsNothingUpAndWhatWasDroppedIsCounted() throws {
            let (script, file) = ("\(Self.directory)/talker.py", "\(Self.directory)/pool.yaml")
            try write(Self.talker, script)
            try write(
                "groups:\n  ? \(Self.group)\n  : {command: [/usr/bin/python3, \(script)], notify: true, "
                    + "concurrent-workers: \(Self.workers)}\n", file)
            defer { _ = try? Tool.run(["rm", "-r", Self.directory]) }
            var service = Service(worker: [])
            service.words = ["--config", file]
            service.logFormat = "journal"
            try withUnit(service) { unit, _ in
                let notes = try Journal(matching: [
                    "_SYSTEMD_UNIT=\(unit.name)", "SERGEANT_EVENT=log_dropped",
                    "SERGEANT_EVENT=supervisor_stopped",
                ])
                try unit.start()
                let group = try unit.directory() + "/" + Self.group
                func process(_ incarnation: String) -> Int32? {
                    Cgroupfs.processes(in: "\(group)/\(incarnation)").first
                }
                let journald = try Int32(
                    Unit(name: "systemd-journald.service", manager: .system).number("MainPID"))
                // systemd would start it anew.
                try Tool.mustRun(["systemctl", "service-watchdogs", "no"])
                try #require(kill(journald, SIGSTOP) == 0)
                defer {
                    kill(journald, SIGCONT)
                    _ = try? Tool.run(["systemctl", "service-watchdogs", "yes"])
                }
                for slot in 1...Self.workers {
                    try #require(kill(try #require(process("\(slot).1")), SIGUSR1) == 0)
                }
                try pollUntil("all was said", within: .seconds(120)) {
                    TextFile.names(in: Self.directory)?.count { $0.hasPrefix("said-") } == Self.workers
                }
                // A success is replaced at once; a crash has a back-off that is told of, or none after a healthy run.
                try #require(kill(try #require(process("1.1")), SIGUSR1) == 0)
                try pollUntil("it is replaced") { process("1.2") != nil && process("1.1") == nil }
                #expect(try unit.property("ActiveState") == "active")

                try #require(kill(journald, SIGCONT) == 0)
                let note = try notes.waitForEvent("log_dropped", within: .seconds(120))
                let dropped = try #require(note.fields["LINES"].flatMap { Int($0) })
                #expect(dropped > 0)
                #expect(note.message.hasPrefix("\(dropped) log entries were dropped"))
                let came = try Tool.run([
                    "journalctl", "--no-pager", "-o", "cat", "--output-fields=SERGEANT_EVENT",
                    "_SYSTEMD_UNIT=\(unit.name)", "SERGEANT_GROUP=\(Self.group)",
                ]).output.split(separator: "\n")
                // The four starts, what they said, each of it, and the one end, its account and the start after it, which
                // found no room.
                #expect(came.count { $0 == "worker_started" } == Self.workers)
                #expect(!came.contains("worker_exited"))
                #expect(came.count + dropped == Self.workers * (Self.statuses + 1) + 3)
                try unit.stop()
                try notes.waitForEvent("supervisor_stopped")
            }
        }
    }
}
