import Glibc
import SupervisorHarness
import Testing

extension Kernel {
    /// Where everything is there, `doctor` says so.
    @Suite(.serialized) struct DoctorSays {
        @Test func thatEverythingIsThere() throws {
            let limits = [
                "--max-worker-memory-usage", "32M", "--memory-max", "64M", "--pids-max", "9", "--cpu-max",
                "1.5",
                "--cpu-weight", "7",
            ]
            var launch = Launch(["doctor"] + limits)
            launch.addsName = false
            launch.addsLogFormat = false
            try withSupervisor(launch) { doctor in
                let status = try doctor.waitForExit()
                #expect(status == .code(0), "\(doctor.transcript)")
                for line in [
                    "--max-worker-memory-usage, memory.high: enforced (asked for by worker)",
                    "--memory-max, memory.max: enforced (asked for by worker)",
                    "--pids-max, pids.max: enforced (asked for by worker)",
                    "--cpu-max, cpu.max: enforced (asked for by worker)",
                    "--cpu-weight, cpu.weight: enforced (asked for by worker)", "--io-max, io.max: enforced",
                    "--group-memory-max, memory.max: enforced",
                    // User-mode Linux has no PSI.
                    access("/proc/pressure/memory", F_OK) == 0
                        ? "--memory-pressure, memory.pressure: enforced"
                        : "--memory-pressure, memory.pressure: NOT enforced",
                    "A supervisor can start here, with every limit that was asked for.",
                ] {
                    #expect(doctor.outputLines.contains(line), "\(doctor.transcript)")
                }
                #expect(Cgroupfs.count(below: doctor.root) == 0)
            }
            // And so it is.
            let start = Launch(limits, command: try TestWorker.command("sleep"))
            try supervise(start) { supervisor in try supervisor.waitFor("supervisor_ready") }
        }
    }
}
