internal import CgroupKit
internal import Glibc
internal import Supervision

extension Host {
    /// Before it is told: who has ended gets an account. Once all has stopped, no cgroup that is still there will be removed.
    func keepAccount(of occurrence: Occurrence) {
        switch occurrence {
        case .workerExited(let id, let pid, let end):
            workers[id]?.account = Account(end, pid: pid, at: timespec.wallClock().microseconds)
        case .supervisorStopped:
            for worker in workers.all {
                if let account = completeAccount(of: worker) { tell(.workerAccounted(worker.id, account)) }
            }
        default: break
        }
    }

    /// With all that it took until now; nil where nobody keeps account of it.
    func completeAccount(of worker: Worker) -> Account? {
        guard var account = worker.account else { return nil }
        account.usage = usage(of: worker)
        return account
    }

    /// What its cgroup says that it took. What is not accounted there, for want of a controller or of a newer kernel, stays
    /// unknown.
    private func usage(of worker: Worker) -> Usage {
        var usage = Usage()
        if let time = try? worker.cgroup.cpuStat() {
            usage.cpuUserMicroseconds = time.userMicroseconds
            usage.cpuSystemMicroseconds = time.systemMicroseconds
            usage.throttledMicroseconds = time.throttledMicroseconds
        }
        if subtree.accountsMemory {
            usage.memoryPeak = try? worker.cgroup.memoryPeak()
            if let statistics = try? worker.cgroup.memoryStat() {
                usage.faults = statistics.faults
                usage.majorFaults = statistics.majorFaults
            }
        }
        if let transfers = try? worker.cgroup.ioStat() {
            usage.readBytes = transfers.readBytes
            usage.writtenBytes = transfers.writtenBytes
        }
        usage.processesPeak = try? worker.cgroup.pidsPeak()
        usage.cpuStallMicroseconds = try? worker.cgroup.pressure(.cpu).some.totalMicroseconds
        usage.memoryStallMicroseconds = try? worker.cgroup.pressure(.memory).some.totalMicroseconds
        usage.ioStallMicroseconds = try? worker.cgroup.pressure(.io).some.totalMicroseconds
        let limits = groups[worker.id.group].configuration.limits
        usage.memoryLimit = limits.memoryThreshold
        usage.memoryMax = limits.memoryMax
        return usage
    }
}
