/// What runs and what it uses: the answer to `GetStatus`, and `status --json`.
package struct StatusReport: Hashable, Sendable, Decodable {
    /// How a supervisor, or one of its groups, stands.
    package enum State: String, Hashable, Sendable, Decodable {
        case starting, ready
        /// Was ready once, and has fewer workers ready than it is to have.
        case degraded
        case stopping
    }

    /// How one incarnation stands.
    package enum WorkerState: String, Hashable, Sendable, Codable, CaseIterable {
        /// Has no process, and gets one when its back-off or its pace lets it.
        case waiting
        /// There is none, and none follows.
        case ended
        case starting, ready, stopping
    }

    /// Bytes; nil where the cgroup does not tell.
    package struct Memory: Hashable, Sendable, Decodable {
        package var current: UInt64?
        package var unreclaimable: UInt64?
        package var peak: UInt64?
        /// At which it is recycled.
        package var limit: UInt64?
        /// Which the kernel enforces.
        package var max: UInt64?

        package init(current: UInt64? = nil, unreclaimable: UInt64? = nil, peak: UInt64? = nil) {
            self.current = current
            self.unreclaimable = unreclaimable
            self.peak = peak
        }
    }

    /// What the cgroup of a worker told at the moment of asking.
    package struct Usage: Hashable, Sendable {
        /// Nil without the memory controller.
        package var memory: Memory?
        package var cpuMicroseconds: UInt64?
        /// Processes and threads; nil without the pids controller.
        package var processes: UInt64?

        package init(memory: Memory? = nil, cpuMicroseconds: UInt64? = nil, processes: UInt64? = nil) {
            self.memory = memory
            self.cpuMicroseconds = cpuMicroseconds
            self.processes = processes
        }
    }

    /// One incarnation, or a slot that waits for its next.
    package struct Worker: Hashable, Sendable, Decodable {
        package var worker: String
        package var slot: Int
        package var incarnation: Int
        package var pid: Int32?
        package var state: WorkerState
        package var status: String?
        package var cgroup: String?
        /// RFC 3339.
        package var started: String?
        package var memory: Memory?
        package var cpuMicroseconds: UInt64?
        package var pids: UInt64?
        /// By reason, with the sum under `total`.
        package var restarts: [String: Int]

        private enum CodingKeys: String, CodingKey {
            case worker, slot, incarnation, pid, state, status, cgroup, started, memory
            case cpuMicroseconds = "cpu_usage_usec"
            case pids, restarts
        }
    }

    /// One group.
    package struct Group: Hashable, Sendable, Decodable {
        package var name: String
        package var state: State
        package var desired: Int
        package var ready: Int
        package var workers: [Worker]
    }

    package var name: String
    package var pid: Int32
    package var version: String
    package var state: State
    package var cgroup: String
    package var groups: [Group]
}
