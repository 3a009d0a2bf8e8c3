import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// `doctor` says beforehand, in the same words, what a start would say; and it changes nothing.
    @Suite(.serialized) struct DoctorSays {
        private func doctor(_ launch: Launch, _ body: (SupervisorProcess) throws -> Void) throws {
            var launch = launch
            remake(launch.place)
            launch.arguments = ["doctor"] + launch.arguments
            launch.addsName = false
            launch.addsLogFormat = false
            try withSupervisor(launch) { supervisor in
                try supervisor.waitForExit()
                #expect(supervisor.lines.isEmpty && supervisor.strayLines.isEmpty)
                try body(supervisor)
                expectNothingLeft(supervisor)
            }
        }

        /// Some disk of this machine, by its numbers.
        private func disk() throws -> String {
            let names = try #require(TextFile.names(in: "/sys/block"))
            let name = try #require(names.sorted().first, "this machine has no block device")
            return String(try #require(TextFile.read("/sys/block/\(name)/dev")).dropLast())
        }

        /// Each run ends with its directory removed.
        private func remake(_ place: Launch.Place) {
            if case .existing(let directory) = place { mkdir(directory, 0o755) }
        }

        /// Text, JSON and the start itself say one sentence.
        private func saysAsAStart(_ launch: Launch, _ words: String) throws {
            remake(launch.place)
            var start = launch
            start.arguments += ["--", "/bin/true"]
            start.addsName = false
            var sentence = ""
            try withSupervisor(start) { supervisor in
                let status = try supervisor.waitForExit()
                #expect(status == .code(69), "\(supervisor.transcript)")
                sentence = String((supervisor.strayLines.first ?? "").dropFirst("sergeantcg: ".count))
            }
            // Each start has a cgroup of its own, unless it is given one.
            let (head, tail) = (sentence.prefix { $0 != "/" }, sentence.suffix(40))
            #expect(sentence.contains(words), "\(sentence)")
            try doctor(launch) { doctor in
                #expect(doctor.status == .code(69))
                let said = doctor.outputLines.first { $0.hasPrefix("- ") } ?? ""
                #expect(said.hasPrefix("- \(head)") && said.hasSuffix(tail), "\(said)\n\(sentence)")
                #expect(doctor.outputLines.contains("A supervisor cannot start here as asked."))
            }
            var json = launch
            json.arguments.append("--json")
            try doctor(json) { doctor in
                #expect(doctor.status == .code(69))
                #expect(doctor.outputLines.count == 1)
                let said = doctor.outputLines.first ?? ""
                #expect(said.hasPrefix("{\"enforceable\":false,\"obstacle\":\"\(head)"), "\(said)")
            }
        }

        @Test func thatAllIsWell() throws {
            try doctor(Launch()) { doctor in
                #expect(doctor.status == .code(0))
                #expect(
                    doctor.outputLines.contains(
                        "A supervisor can start here, with every limit that was asked for."),
                    "\(doctor.transcript)")
                #expect(doctor.outputLines.contains { $0.hasSuffix(doctor.root) && $0.hasPrefix("its root") })
            }
            try doctor(Launch(["--json"])) { doctor in
                #expect(doctor.status == .code(0))
                let said = doctor.outputLines.first ?? ""
                #expect(said.hasPrefix("{\"enforceable\":true,"), "\(said)")
                #expect(said.contains("\"root\":\"\(doctor.root)\"") && said.contains("\"writable\":true"))
            }
        }

        @Test func whichControllerIsMissing() throws {
            try withSupervisor(Launch([], command: try TestWorker.command("sleep"))) { outer in
                try outer.waitFor("supervisor_ready")
                let bare = "\(outer.root)/supervisor/bare"
                #expect(mkdir(bare, 0o755) == 0)
                defer { rmdir(bare) }
                for limit in [
                    ["--memory-max", "64M"], ["--pids-max", "9"], ["--cpu-max", "1.5"],
                    ["--cpu-weight", "50"],
                    ["--io-weight", "50"], ["--io-max", "\(try disk()),rbps=1M"],
                ] {
                    var launch = Launch(limit)
                    launch.place = .existing(bare)
                    try saysAsAStart(launch, "\(bare)/cgroup.controllers")
                }
                // In a file too, and in which group.
                try withFile("groups: {a: {command: [x]}, b: {command: [x], memory-max: 64M}}") { file in
                    var launch = Launch(["--config", file])
                    launch.place = .existing(bare)
                    try doctor(launch) { doctor in
                        #expect(doctor.status == .code(69))
                        #expect(
                            doctor.outputLines.contains(
                                "--memory-max, memory.max: NOT enforced (asked for by b)"),
                            "\(doctor.transcript)")
                    }
                }
            }
        }

        @Test func thatItIsSomebodyElses() throws {
            var launch = Launch()
            launch.wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            try saysAsAStart(launch, "not delegated to this user")
        }

        @Test func thatItIsReadOnly() throws {
            var launch = Launch()
            launch.wrapper = [
                "unshare", "--mount", "/bin/sh", "-c", #"mount -o remount,bind,ro "$0" && exec "$@""#,
                try Cgroupfs.mount().point,
            ]
            try saysAsAStart(launch, "Read-only file system")
        }

        @Test func thatThereIsNone() throws {
            var launch = Launch()
            launch.wrapper = [
                "unshare", "--mount", "/bin/sh", "-c", #"umount -l "$0" && exec "$@""#,
                try Cgroupfs.mount().point,
            ]
            try saysAsAStart(launch, "cgroup2")
            try saysAsAStart(Launch(["--cgroup", "/nonexistent/place"]), "nonexistent")
        }

        @Test func thatTheFileIsWrong() throws {
            try withFile("groups: {a: {comand: [x]}}") { file in
                var launch = Launch(["doctor", "--config", file])
                launch.addsName = false
                launch.addsLogFormat = false
                try withSupervisor(launch) { supervisor in
                    let status = try supervisor.waitForExit()
                    #expect(status == .code(78) && supervisor.outputLines.isEmpty)
                }
            }
        }
    }
}
