internal import FoundationEssentials
internal import Supervision

/// What a supervisor runs and uses, as metrics: names and units by Prometheus' conventions, and nothing in a label that
/// grows without end. A worker is known by its group and slot, never by a process ID or an incarnation.
///
/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
package struct Metrics {
    private let families: [MetricFamily]

    package init(_ report: StatusReport) {
        let slots = report.groups.flatMap { group in Self.slots(of: group).map { (group.name, $0) } }
        families =
            [
                MetricFamily(
                    "sergeantcg_build_info", .gauge, "Who this supervisor is; always 1.",
                    [.init(["name": report.name, "version": report.version], "1")]),
                MetricFamily(
                    "sergeantcg_ready", .gauge,
                    "1 where the supervisor is ready: every group has the workers it is to have.",
                    [.init([:], report.state == .ready ? "1" : "0")]),
            ] + Self.metrics(of: report.groups) + Self.metrics(of: slots)
    }

    /// Families without a sample are left out.
    package func text(_ format: MetricFamily.Format) -> String {
        var text = ""
        for family in families where !family.samples.isEmpty { family.write(to: &text, format) }
        return format == .openmetrics ? text + "# EOF\n" : text
    }

    /// Of two incarnations of a slot the one that stays: the other stops.
    private static func slots(of group: StatusReport.Group) -> [StatusReport.Worker] {
        let latest = Dictionary(group.workers.map { ($0.slot, $0) }) {
            $0.incarnation > $1.incarnation ? $0 : $1
        }
        return latest.values.sorted { $0.slot < $1.slot }
    }

    private static func metrics(of groups: [StatusReport.Group]) -> [MetricFamily] {
        func family(
            _ name: String, _ help: String, _ value: (StatusReport.Group) -> Int
        ) -> MetricFamily {
            MetricFamily(name, .gauge, help, groups.map { .init(["group": $0.name], "\(value($0))") })
        }
        return [
            family("sergeantcg_group_workers_desired", "How many workers the group is to have.", \.desired),
            family("sergeantcg_group_workers_ready", "How many workers of the group are ready.", \.ready),
            MetricFamily(
                "sergeantcg_group_workers", .gauge, "How many workers of the group are in each state.",
                groups.flatMap { group in
                    StatusReport.WorkerState.allCases.map { state in
                        .init(
                            ["group": group.name, "state": state.rawValue],
                            "\(group.workers.count { $0.state == state })")
                    }
                }),
        ]
    }

    private static func metrics(of slots: [(group: String, worker: StatusReport.Worker)]) -> [MetricFamily] {
        func family(
            _ name: String, _ help: String, _ kind: MetricFamily.Kind = .gauge,
            _ value: (StatusReport.Worker) -> String?
        ) -> MetricFamily {
            MetricFamily(
                name, kind, help,
                slots.compactMap { group, worker in
                    value(worker).map { .init(["group": group, "slot": "\(worker.slot)"], $0) }
                })
        }
        func bytes(_ name: String, _ help: String, _ value: KeyPath<StatusReport.Memory, UInt64?>)
            -> MetricFamily
        {
            family("sergeantcg_worker_memory_\(name)bytes", help) { worker in
                worker.memory?[keyPath: value].map { "\($0)" }
            }
        }
        return [
            family("sergeantcg_worker_ready", "1 where the slot has a worker that is ready.") {
                $0.state == .ready ? "1" : "0"
            },
            family(
                "sergeantcg_worker_start_time_seconds", "When the worker was started, in seconds since 1970."
            ) {
                $0.started.flatMap(secondsSince1970)
            },
            bytes("", "What the worker holds now (memory.current).", \.current),
            bytes("unreclaimable_", "What of it the kernel cannot take back.", \.unreclaimable),
            bytes("peak_", "The most it ever held (memory.peak).", \.peak),
            bytes("limit_", "At which it is recycled.", \.limit),
            bytes("max_", "At which the kernel kills it (memory.max).", \.max),
            family(
                "sergeantcg_worker_cpu_seconds_total",
                "CPU time of the worker; from 0 again with each that replaces it.", .counter
            ) { worker in worker.cpuMicroseconds.map(seconds) },
            family("sergeantcg_worker_processes", "Processes and threads of the worker (pids.current).") {
                worker in
                worker.pids.map { "\($0)" }
            },
            MetricFamily(
                "sergeantcg_worker_restarts_total", .counter, "How often the slot lost a worker, by reason.",
                slots.flatMap { group, worker in
                    reasons(worker).map { reason in
                        .init(
                            ["group": group, "slot": "\(worker.slot)", "reason": reason],
                            "\(worker.restarts[reason] ?? 0)")
                    }
                }),
        ]
    }

    /// Those too that have not been yet: a counter that begins with 1 has, to Prometheus, not increased.
    private static func reasons(_ worker: StatusReport.Worker) -> [String] {
        let known = Reason.allCases.filter { $0 != .shutdown && $0 != .scaleDown }.map(\.rawValue)
        return Set(worker.restarts.keys).subtracting(["total"]).union(known).sorted()
    }

    // MARK: Numbers

    private static func seconds(_ microseconds: UInt64) -> String {
        "\(microseconds / 1_000_000).\(LogLines.padded(Int(microseconds % 1_000_000), to: 6))"
    }

    private static func secondsSince1970(_ text: String) -> String? {
        guard let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text) else {
            return nil
        }
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        return "\(milliseconds / 1000)"
    }
}
