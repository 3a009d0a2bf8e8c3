internal import CLinux
internal import CgroupKit
public import Supervision

extension Record {
    /// Puts an occurrence into words. Where upstream has a message for the same thing, ours contains its
    /// words: people grep for them.
    public init(_ occurrence: Occurrence, names: Names) {
        switch occurrence {
        case .supervisorStarted:
            self.init(
                .info, "supervisor_started", "sergeantcg \(Version.current) supervises in \(names.rootPath)",
                [("cgroup", .text(names.rootPath)), ("version", .text(Version.current))])
        case .supervisorReady:
            self.init(
                .info, "supervisor_ready", "all workers are ready",
                [("cgroup", .text(names.rootPath)), ("version", .text(Version.current))])
        case .supervisorUpgraded(let version):
            self.init(
                .info, "supervisor_upgraded",
                "sergeantcg \(Version.current) goes on with the workers of sergeantcg \(version)",
                [("cgroup", .text(names.rootPath)), ("version", .text(Version.current))])
        case .supervisorUpgradeRefused(let reason):
            self.init(
                .error, "supervisor_upgrade_refused",
                "not upgraded, sergeantcg \(Version.current) goes on: \(reason)",
                [("version", .text(Version.current))])
        case .supervisorStopping(let cause):
            self.init(
                .info, "supervisor_stopping", Self.words(for: cause, names),
                [("cgroup", .text(names.rootPath)), ("version", .text(Version.current))])
        case .supervisorStopped(let outcome):
            self.init(
                outcome == .stopped ? .info : .critical, "supervisor_stopped",
                "no more workers to supervise, exiting...",
                [("cgroup", .text(names.rootPath)), ("version", .text(Version.current))])
        case .supervisorReloading:
            self.init(.info, "supervisor_reloading", "the configuration is read again")
        case .supervisorReloaded(nil):
            self.init(.info, "supervisor_reloaded", "the configuration is in effect")
        case .supervisorReloaded(let fault?):
            self.init(.error, "supervisor_reloaded", "reload failed: \(fault)")
        case .supervisorBroken(let sentence):
            self.init(.critical, "supervisor_broken", "cannot go on, the workers are killed: \(sentence)")

        case .workerStarted(let id, let pid, let replaces):
            let message =
                replaces.map { "worker(\($0)) was respawned as worker(\(pid))" }
                ?? "spawned a new worker at pid: \(pid)"
            self.init(.info, "worker_started", message, id, pid, names)
            add("cgroup", .text(names.cgroup(id)))
        case .workerAdopted(let id, let pid):
            self.init(
                .info, "worker_adopted", "worker(\(pid)) of an earlier supervisor goes on under this one", id,
                pid,
                names)
            add("cgroup", .text(names.cgroup(id)))
        case .workerReady(let id, let pid):
            self.init(.debug, "worker_ready", "worker(\(pid)) is ready", id, pid, names)
            add("cgroup", .text(names.cgroup(id)))
        case .workerStopping(let id, let pid, let reason):
            self.init(
                .info, "worker_stopping", "worker(\(pid)) was asked to stop: \(Self.words(for: reason))", id,
                pid,
                names)
            add("cgroup", .text(names.cgroup(id)))
            add("reason", .text(reason.rawValue))

        case .workerYielding(let id, let pid, let reason):
            self.init(
                .info, "worker_yielding",
                "worker(\(pid)) works on until its successor is ready: \(Self.words(for: reason))", id, pid,
                names)
            add("reason", .text(reason.rawValue))
        case .workerLeaving(let id, let pid):
            self.init(.info, "worker_leaving", "worker(\(pid)) says that it is ending", id, pid, names)
        case .workerWatchdog(let id, let pid, let timeout):
            let message =
                timeout.map { "worker(\(pid)) missed its watchdog of \(Self.seconds($0)) s" }
                ?? "worker(\(pid)) says that it is broken"
            self.init(.error, "worker_watchdog", message, id, pid, names)
            add("timeout_usec", timeout.map { .integer($0.microseconds) })
        case .workerStatus(let id, let pid, let text):
            self.init(.info, "worker_status", "worker(\(pid)): \(text)", id, pid, names)
            add("status", .text(text))

        case .workerMemoryAlarm(let id, let pid, let memory, let wire):
            self.init(
                .debug, "worker_memory_alarm",
                "worker(\(pid)) holds \(memory.unreclaimable) bytes that cannot be reclaimed, below its limit",
                id, pid, names)
            add(memory)
            add("wire", wire.map { .unsigned($0) })
        case .workerMemoryLimit(let id, let pid, let memory, let limit):
            self.init(
                .warning, "worker_memory_limit",
                "worker(\(pid)) exceeded the maximum memory limit: \(memory.unreclaimable)", id, pid, names)
            add(memory)
            add("memory_limit", .unsigned(limit))
        case .workerMemoryExcess(let id, let pid, let memory, let limit, let sustain):
            self.init(
                .info, "worker_memory_excess",
                "worker(\(pid)) holds \(memory.unreclaimable) bytes, more than its memory limit, which it may for "
                    + "\(Self.seconds(sustain)) s", id, pid, names)
            add(memory)
            add("memory_limit", .unsigned(limit))
            add("sustain_usec", .integer(sustain.microseconds))
        case .workerMemoryPressure(let id, let pid):
            self.init(
                .warning, "worker_memory_pressure",
                "worker(\(pid)) stands still for want of memory, longer than it may", id, pid, names)
        case .workerOOM(let id, let pid, let kills, let scope, let mainKilled):
            let whose = scope == .worker ? "its own memory limit" : "a memory limit above its own"
            // Not how many: the victim counts again in the kill of its group.
            let whom = mainKilled ? "worker(\(pid))" : "processes of worker(\(pid))"
            self.init(.error, "worker_oom", "the kernel killed \(whom) at \(whose)", id, pid, names)
            add("oom_kills", .unsigned(kills))
            add("oom_scope", .text(scope.rawValue))
            add("main_killed", .boolean(mainKilled))
        case .workerPidsLimit(let id, let pid, let refusals, let limit, let scope):
            let whose = scope == .worker ? "it may have \(limit)" : "a cgroup above it is full"
            self.init(
                .warning, "worker_pids_limit",
                "worker(\(pid)) was refused a process or thread, \(refusals) time\(refusals == 1 ? "" : "s") until now: "
                    + "\(whose) (pids.max)", id, pid, names)
            add("pids_refusals", .unsigned(refusals))
            add("pids_limit", .unsigned(limit))
            add("pids_scope", .text(scope.rawValue))
        case .workerLeftovers(let id, let pid):
            self.init(
                .warning, "worker_leftovers",
                "worker(\(pid.map(String.init) ?? "-")) ended and left processes behind, they were asked to stop",
                id, pid, names)
        case .workerExited(let id, let pid, let end):
            self.init(end, id, pid, names)
        case .workerAccounted(let id, let account):
            self.init(
                .info, "worker_accounted", Self.words(for: account, id, names), id, account.pid, names)
            add("started", .text(account.started))
            for (name, value) in account.fields { add(name, value) }
        case .workerStuck(let id, let pid, let errno, let attempts):
            let what =
                errno == 0
                ? "processes of its cgroup do not die of SIGKILL"
                : "its cgroup cannot be removed: \(ErrorCode.text(errno)) (\(ErrorCode.name(errno)))"
            self.init(
                .error, "worker_stuck",
                "\(names.worker(id.slot)) \(names.cgroup(id)): \(what), "
                    + (attempts == 1 ? "1 attempt was made" : "\(attempts) attempts were made"), id, pid,
                names)
            add("cgroup", .text(names.cgroup(id)))
        case .workerBackoff(let slot, let delay, let failures):
            self.init(
                .warning, "worker_backoff",
                "\(names.worker(slot)) is started again in \(Self.seconds(delay)) s after \(failures) "
                    + "failure\(failures == 1 ? "" : "s") in a row", slot, names)
            add("delay_usec", .integer(delay.microseconds))
            add("failures", .integer(Int64(failures)))
        case .workerNotReplaced(let slot, let reason):
            self.init(
                reason.weight == .failure ? .error : .info, "worker_not_replaced",
                "\(names.worker(slot)) is not started again: \(reason.rawValue)", slot, names)
            add("reason", .text(reason.rawValue))
        case .workerPaced(let slot):
            self.init(
                .warning, "worker_paced",
                "\(names.worker(slot)) finishes within a second again and again, it is started 10 times a second "
                    + "at most", slot, names)

        case .groupFailed(let group, let failure):
            switch failure {
            case .tooManyFailures(let count, let window):
                self.init(
                    .critical, "group_failed",
                    "\(names.group(group)) is given up: \(count) failures within \(Self.seconds(window)) s")
                add("group", .text(names.group(group)))
                add("failures", .integer(Int64(count)))
                add("window_usec", .integer(window.microseconds))
            case .cannotRun(let id):
                self.init(
                    .critical, "group_failed",
                    "\(names.group(group)) is given up: its workers cannot run, the message before says why")
                add("group", .text(names.group(group)))
                add("worker", .text(names.worker(id.slot)))
                add("failures", .integer(1))
            }
        case .groupScaled(let group, let before, let after):
            self.init(
                .info, "group_scaled", "\(names.group(group)) is to have \(after) workers, it had \(before)")
            add("group", .text(names.group(group)))
            add("desired", .integer(Int64(after)))
            add("desired_before", .integer(Int64(before)))
        case .rollStarted(let group, let slots):
            self.init(
                .info, "roll_started",
                "a rolling restart of \(slots) worker\(slots == 1 ? "" : "s") of \(names.group(group)) begins"
            )
            add("group", .text(names.group(group)))
            add("slots", .integer(Int64(slots)))
        case .rollEnded(let group, let end):
            self.init(end, group, names)
        case .hostTrouble(let id, let sentence):
            if let id {
                self.init(.error, "supervisor_trouble", sentence, id, nil, names)
            } else {
                self.init(.error, "supervisor_trouble", sentence)
            }
        case .hostNotice(let sentence):
            self.init(.warning, "supervisor_notice", sentence)
        }
    }

    private init(
        _ level: Level, _ event: String, _ message: String, _ id: IncarnationID, _ pid: Int32?, _ names: Names
    ) {
        self.init(level, event, message, id.slot, names)
        add("incarnation", .integer(Int64(id.number)))
        add("pid", pid.map { .integer(Int64($0)) })
    }

    private init(_ level: Level, _ event: String, _ message: String, _ slot: SlotID, _ names: Names) {
        self.init(level, event, message)
        add("group", .text(names.group(slot.group)))
        add("worker", .text(names.worker(slot)))
        add("slot", .integer(Int64(slot.slot)))
    }

    private init(_ end: Occurrence.End, _ id: IncarnationID, _ pid: Int32?, _ names: Names) {
        let (level, words) = Self.words(for: end, id, pid, names)
        let isStop = end.isLast && end.reason == .shutdown
        let message = isStop ? words + ", not going to respawn since the stop process has started" : words
        self.init(level, "worker_exited", message, id, pid, names)
        add("reason", .text(end.reason.rawValue))
        add("exit_code", end.exit?.code.map { .integer(Int64($0)) })
        add("signal", end.exit?.signal.map { .integer(Int64($0)) })
        add("lifetime_usec", .integer(end.lifetime.microseconds))
        add("memory_peak", end.exit?.memoryPeak.map { .unsigned($0) })
        add("cpu_usage_usec", end.exit?.cpuMicroseconds.map { .unsigned($0) })
        if let kills = end.exit?.memory?.oomKill, kills > 0 { add("oom_kills", .unsigned(kills)) }
        if let refusals = end.exit?.refusals, refusals > 0 { add("pids_refusals", .unsigned(refusals)) }
        add("exception", end.exit?.report?.exception.map { .text($0) })
        add("stacktrace", end.exit?.report?.stacktrace.map { .text($0) })
        if let threads = end.exit?.report?.unkillableThreads, !threads.isEmpty {
            add("unkillable_threads", .texts(threads))
        }
        add("summary", end.exit?.report?.summary.map { .text($0) })
    }

    private init(_ end: Occurrence.RollEnd, _ group: Int, _ names: Names) {
        let name = names.group(group)
        switch end {
        case .completed:
            self.init(.info, "roll_ended", "the rolling restart of \(name) is done")
            add("outcome", .text("completed"))
        case .failed(let id, let reason):
            self.init(
                .error, "roll_ended",
                "the rolling restart of \(name) is broken off, the new \(names.worker(id.slot)) did not get "
                    + "ready: \(Self.words(for: reason))")
            add("outcome", .text("failed"))
            add("worker", .text(names.worker(id.slot)))
            add("slot", .integer(Int64(id.slot.slot)))
            add("incarnation", .integer(Int64(id.number)))
            add("reason", .text(reason.rawValue))
        case .stopped:
            self.init(.info, "roll_ended", "the rolling restart of \(name) ends with the stop")
            add("outcome", .text("stopped"))
        }
        add("group", .text(name))
    }

    private mutating func add(_ memory: MemoryMeasurement) {
        add("memory_current", .unsigned(memory.current))
        add("memory_unreclaimable", .unsigned(memory.unreclaimable))
    }

    // MARK: Words

    /// As much as is known: without the memory controller no peak is.
    private static func words(for account: Account, _ id: IncarnationID, _ names: Names) -> String {
        var parts: [String] = []
        if let user = account.usage.cpuUserMicroseconds, let system = account.usage.cpuSystemMicroseconds {
            parts.append("\(seconds(.microseconds(Int64(clamping: user &+ system)))) s of CPU time")
        }
        if let peak = account.usage.memoryPeak { parts.append("\(ByteCount(peak)) of memory at its peak") }
        let worker = "\(names.worker(id.slot)), incarnation \(id.number),"
        guard !parts.isEmpty else { return "\(worker) is gone, and what it took is not known" }
        return "\(worker) took \(parts.joined(separator: " and ")) in "
            + "\(seconds(.microseconds(account.lifetimeMicroseconds))) s"
    }

    private static func words(for cause: Occurrence.StopCause, _ names: Names) -> String {
        switch cause {
        case .request: "a stop was asked for, triggering a stopping process"
        case .done: "all workers have ended and none is to follow"
        case .worker(let id): "\(names.worker(id.slot)) has requested to stop, triggering a stopping process"
        case .failure: "the workers cannot go on, triggering a stopping process"
        }
    }

    private static func words(for reason: Reason) -> String {
        switch reason {
        case .memoryLimit: "it is over its memory limit"
        case .memoryPressure: "it stands still for want of memory"
        case .shutdown: "the supervisor stops"
        case .startTimeout: "it was not ready in time"
        case .watchdog: "it missed its watchdog"
        case .lifetime: "it has lived long enough"
        case .restart: "a restart was asked for"
        case .scaleDown: "it is not needed any more"
        case .finished, .respawnRequested, .stopRequested, .failed, .crashed, .oomKilled, .startFailed:
            reason.rawValue
        }
    }

    /// What ended, in upstream's words where it has some, and how loud that is.
    private static func words(
        for end: Occurrence.End, _ id: IncarnationID, _ pid: Int32?, _ names: Names
    ) -> (Level, String) {
        guard let pid else {
            return (.error, end.failure.map(\.sentence) ?? "\(names.worker(id.slot)) was not started")
        }
        let worker = "worker(\(pid))"
        let how = manner(of: end.exit)
        switch end.reason {
        case .finished: return (.info, "\(worker) has finished successfully")
        case .respawnRequested: return (.info, "\(worker) has requested to respawn")
        case .stopRequested: return (.info, "\(worker) has requested to stop and has stopped")
        case .shutdown: return (.info, "\(worker) has stopped (\(how))")
        case .memoryLimit:
            return (.info, "\(worker) is gone after it exceeded the maximum memory limit (\(how))")
        case .oomKilled:
            return (
                .critical,
                "\(worker) execution has been interrupted: the kernel killed it for its memory (\(how))"
            )
        case .failed, .crashed:
            return (.critical, failure(of: end.exit, worker, id, names))
        case .watchdog, .startTimeout, .memoryPressure, .lifetime, .restart, .scaleDown:
            return (.info, "\(worker) is gone: \(words(for: end.reason)) (\(how))")
        case .startFailed:
            return (.error, end.failure.map(\.sentence) ?? "\(worker) could not be started")
        }
    }

    private static func failure(of exit: Exit?, _ worker: String, _ id: IncarnationID, _ names: Names)
        -> String
    {
        if let report = exit?.report {
            let exception = report.exception ?? "None"
            let group = names.groups.indices.contains(id.group) ? names.groups[id.group] : nil
            let module = group?.workerModule ?? "-"
            switch report.returnCode {
            case nil:
                return
                    "\(worker) cannot run: 'sergeant' cannot be imported in this Python, --python names another: "
                    + exception
            case 1: return "\(worker) execution has failed with the following exception: \(exception)"
            case 2: return "could not load worker module: \(module): \(exception)"
            case 3: return "could not find worker class: \(module).\(group?.workerClass ?? "-")"
            case 6: return "\(worker) internal execution has failed: \(exception)"
            case 7: return "\(worker) importing the worker module has raised an exception: \(exception)"
            case .some: break
            }
        }
        if exit?.status == .unknown {
            return "\(worker) has ended, how is not known: an earlier supervisor was its parent"
        }
        let code = returnCode(of: exit)
        let name = code < 0 ? linux_signal_name(-code).map { " (SIG\(String(cString: $0)))" } : nil
        return "\(worker) execution has been interrupted with return code: \(code)\(name ?? "")"
    }

    /// As upstream counts: the exit code, or the signal's number below zero.
    private static func returnCode(of exit: Exit?) -> Int32 {
        switch exit?.status {
        case .code(let code): code
        case .signal(let signal, _): -signal
        case .unknown, nil: 0
        }
    }

    private static func manner(of exit: Exit?) -> String {
        switch exit?.status {
        case .code(let code): "exit code \(code)"
        case .signal(let signal, let dumped): "signal \(signal)\(dumped ? ", core dumped" : "")"
        case .unknown: "unknown exit status"
        case nil: "never reaped"
        }
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = (duration.microseconds + 5000) / 10000
        let fraction = tenths % 100
        return "\(tenths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
