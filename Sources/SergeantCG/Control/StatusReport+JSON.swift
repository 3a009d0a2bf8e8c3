internal import FoundationEssentials

extension StatusReport {
    /// Reads what a supervisor answered; nil where it is something else.
    package init?(json: [UInt8]) {
        guard let report = try? JSONDecoder().decode(StatusReport.self, from: Data(json)) else { return nil }
        self = report
    }

    /// Writes the members, all of them, in the documented order; what is not known is `null`.
    package func write(to reply: inout JSONText) {
        reply.member("name", .text(name))
        reply.member("pid", .integer(Int64(pid)))
        reply.member("version", .text(version))
        reply.member("state", .text(state.rawValue))
        reply.member("cgroup", .text(cgroup))
        reply.member(
            "groups",
            array: { array in
                for group in groups { array.object { group.write(to: &$0) } }
            })
    }
}

extension StatusReport.Group {
    fileprivate func write(to object: inout JSONText) {
        object.member("name", .text(name))
        object.member("state", .text(state.rawValue))
        object.member("desired", .integer(Int64(desired)))
        object.member("ready", .integer(Int64(ready)))
        object.member(
            "workers",
            array: { array in
                for worker in workers { array.object { worker.write(to: &$0) } }
            })
    }
}

extension StatusReport.Worker {
    fileprivate func write(to object: inout JSONText) {
        object.member("worker", .text(worker))
        object.member("slot", .integer(Int64(slot)))
        object.member("incarnation", .integer(Int64(incarnation)))
        object.member("pid", optional: pid.map { .integer(Int64($0)) })
        object.member("state", .text(state.rawValue))
        object.member("status", optional: status.map { .text($0) })
        object.member("cgroup", optional: cgroup.map { .text($0) })
        object.member("started", optional: started.map { .text($0) })
        if let memory {
            object.member("memory", object: { memory.write(to: &$0) })
        } else {
            object.member("memory", optional: nil)
        }
        object.member("cpu_usage_usec", optional: cpuMicroseconds.map { .unsigned($0) })
        object.member("pids", optional: pids.map { .unsigned($0) })
        object.member(
            "restarts",
            object: { object in
                object.member("total", .integer(Int64(restarts["total"] ?? 0)))
                for (reason, count) in restarts.sorted(by: { $0.key < $1.key }) where reason != "total" {
                    object.member(reason, .integer(Int64(count)))
                }
            })
    }
}

extension StatusReport.Memory {
    fileprivate func write(to object: inout JSONText) {
        object.member("current", optional: current.map { .unsigned($0) })
        object.member("unreclaimable", optional: unreclaimable.map { .unsigned($0) })
        object.member("peak", optional: peak.map { .unsigned($0) })
        object.member("limit", optional: limit.map { .unsigned($0) })
        object.member("max", optional: max.map { .unsigned($0) })
    }
}
