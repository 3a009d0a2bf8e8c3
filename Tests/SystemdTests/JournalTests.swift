import Glibc
import SupervisorHarness
import Testing

/// What journald has of a pool, and what journalctl makes of it.
extension Systemd {
    @Suite(.serialized) struct JournalOfAPool {
        /// Without `--log-format`, for the service's standard error is the journal.
        @Test func aDeathHasItsFieldsAndAnExplanation() throws {
            var service = Service(["--memory-max", "32M"], worker: ["allocate", "64M"])
            service.logFormat = "auto"
            try withUnit(service) { unit, journal in
                try unit.start()
                let death = try journal.waitForEvent("worker_exited")
                let started = try journal.waitForEvent("worker_started")
                let expected = [
                    "MESSAGE_ID": "e00f16a4bcab4c6db46e6d5d46db22d6", "PRIORITY": "2",
                    "SYSLOG_IDENTIFIER": "sergeantcg", "_TRANSPORT": "journal", "_SYSTEMD_UNIT": unit.name,
                    "SERGEANT_GROUP": "TestWorker", "SERGEANT_WORKER": "TestWorker-1",
                    "SERGEANT_SLOT": "1", "SERGEANT_INCARNATION": "1", "SERGEANT_REASON": "oom_killed",
                    "EXIT_CODE": "killed", "EXIT_STATUS": "9",
                ]
                for (name, value) in expected {
                    #expect(death.fields[name] == value, "\(name)")
                }
                #expect(death.fields["OBJECT_PID"] == started.fields["OBJECT_PID"])
                #expect(death.fields["OBJECT_PID"].flatMap { Int32($0) } != nil)
                let peak = death.fields["MEMORY_PEAK"].flatMap { UInt64($0) } ?? 0
                #expect((16 << 20)...(32 << 20) ~= peak, "\(peak)")
                #expect(death.fields["CPU_USAGE_NSEC"].flatMap { UInt64($0) } ?? 0 > 0)
                try expectAccount(of: death, journal)
                try unit.stop()
                try journal.waitForEvent("supervisor_stopped")
                try expectNumbersAndNames(journal)
                try expectExplanation(of: death, unit)
            }
        }

        /// Without `--accounting`.
        private func expectAccount(of death: Journal.Entry, _ journal: Journal) throws {
            let account = try journal.waitForEvent("worker_accounted")
            for name in [
                "SERGEANT_WORKER", "SERGEANT_INCARNATION", "SERGEANT_REASON", "OBJECT_PID", "EXIT_CODE",
                "EXIT_STATUS", "LIFETIME_USEC", "MEMORY_PEAK", "OOM_KILLS",
            ] { #expect(account.fields[name] == death.fields[name] && death.fields[name] != nil, "\(name)") }
            #expect(account.fields["PRIORITY"] == "6" && account.fields["MEMORY_MAX"] == "\(32 << 20)")
            #expect(account.fields["STARTED"]?.hasSuffix("Z") == true)
            for name in ["CPU_USER_USEC", "CPU_SYSTEM_USEC", "PAGE_FAULTS"] {
                #expect(account.fields[name].flatMap { UInt64($0) } != nil, "\(name)")
            }
            #expect(account.message.hasPrefix("TestWorker-1, incarnation 1, took "), "\(account.message)")
            #expect(account.message.contains(" s of CPU time and 3"), "\(account.message)")
            #expect(account.message.contains("M of memory at its peak in "), "\(account.message)")
        }

        /// Each kind of occurrence has a number of its own that the catalog explains; each of a worker, its name.
        private func expectNumbersAndNames(_ journal: Journal) throws {
            let catalog = TextFile.read(Installed.checkout + "/share/sergeantcg.catalog") ?? ""
            var numbers: [String: Set<String>] = [:]
            for entry in journal.entries {
                guard let event = entry.fields["SERGEANT_EVENT"] else { continue }
                let number = try #require(entry.fields["MESSAGE_ID"], "\(event)")
                numbers[event, default: []].insert(number)
                #expect(catalog.contains("\n-- \(number)\n"), "\(event)")
                guard event.hasPrefix("worker_") else { continue }
                #expect(entry.fields["SERGEANT_GROUP"] == "TestWorker", "\(event)")
                #expect(entry.fields["SERGEANT_WORKER"] == "TestWorker-1", "\(event)")
                if event != "worker_backoff" {
                    #expect(entry.fields["SERGEANT_INCARNATION"].flatMap { Int($0) } != nil, "\(event)")
                }
            }
            for event in [
                "supervisor_started", "supervisor_ready", "supervisor_stopping", "supervisor_stopped",
                "worker_started", "worker_oom", "worker_exited", "worker_accounted",
            ] { #expect(numbers[event] != nil, "\(event)") }
            let all = numbers.values.flatMap { $0 }
            #expect(Set(all).count == all.count, "\(numbers)")
        }

        private func expectExplanation(of entry: Journal.Entry, _ unit: Unit) throws {
            let installed = "/usr/local/lib/systemd/catalog/sergeantcg.catalog"
            try Tool.mustRun([
                "install", "-Dm", "644", Installed.checkout + "/share/sergeantcg.catalog", installed,
            ])
            defer { unlink(installed) }
            try Tool.mustRun(["journalctl", "--update-catalog"])
            let (status, text) = try Tool.run([
                "journalctl", "--no-pager", "-x", "_SYSTEMD_UNIT=\(unit.name)",
                "SERGEANT_REASON=oom_killed", "SERGEANT_INCARNATION=1",
            ])
            #expect(status == .code(0))
            for words in [
                "Subject: The worker TestWorker-1 is dead: the kernel killed it for its memory",
                "Defined-By: sergeantcg", "At its most it used \(entry.fields["MEMORY_PEAK"] ?? "?") bytes",
                "Raise --memory-max if its tasks need more",
            ] { #expect(text.contains(words), "\(text)") }
        }

        /// journald reads it itself: the line's transport is a stream, its name the worker's.
        @Test func whatAWorkerPrintsIsThereUnderItsOwnName() throws {
            let script =
                "echo hello; echo \"<3>bad\" >&2; "
                + "[ $$JOURNAL_STREAM = `stat -Lc %%d:%%i /proc/self/fd/2` ] && echo \"stream is mine\"; "
                + "exec sleep 1000"
            let service = Service(
                ["--concurrent-workers", "2", "--output", "journal"],
                command: ["/bin/sh", "-c", "'\(script)'"])
            try withUnit(service) { unit, journal in
                try unit.start()
                for worker in ["sh-1", "sh-2"] {
                    for (message, priority) in [("hello", "6"), ("bad", "3"), ("stream is mine", "6")] {
                        let entry = try journal.waitFor("\(message) of \(worker)") {
                            $0.message == message && $0.fields["SYSLOG_IDENTIFIER"] == worker
                        }
                        #expect(entry.fields["_TRANSPORT"] == "stdout")
                        #expect(entry.fields["PRIORITY"] == priority)
                        #expect(entry.fields["_SYSTEMD_UNIT"] == unit.name)
                    }
                    let (_, text) = try Tool.run([
                        "journalctl", "--no-pager", "-o", "cat", "-t", worker,
                        "_SYSTEMD_UNIT=\(unit.name)",
                    ])
                    let lines = text.split(separator: "\n").map(String.init)
                    #expect(lines.sorted() == ["bad", "hello", "stream is mine"])
                }
                try expectStopLeavesNothing(unit)
            }
        }
    }
}
