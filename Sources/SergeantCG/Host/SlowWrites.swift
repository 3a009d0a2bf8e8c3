internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// Writes of limits below what is in use: the kernel takes memory back first, which may last for seconds, and the loop
/// must not wait for it. Each has a thread that lives only for it; there is none while nobody lowers a limit.
final class SlowWrites: LoopPart {
    private var host: HostAccess?
    private var reading: Descriptor?
    private var writing: Descriptor?
    /// What is under way, and how its failure is told.
    private var underWay: [UInt64: (id: IncarnationID?, sentence: String)] = [:]
    private var count: UInt64 = 0

    func join(_ host: HostAccess) {
        self.host = host
    }

    func leave() {
        host = nil
        close()
    }

    private func close() {
        reading = nil
        writing = nil
    }

    func lowerMemoryMax(of cgroup: borrowing Cgroup, to bytes: UInt64, _ id: IncarnationID?) {
        let sentence = "cannot write '\(bytes)' to \(cgroup.path)/memory.max"
        count += 1
        let error = begin(cgroup, String(bytes), token: count)
        guard error == 0 else { return tell(id, sentence, error) }
        underWay[count] = (id, sentence)
    }

    /// - Returns: 0, or the errno.
    private func begin(_ cgroup: borrowing Cgroup, _ text: String, token: UInt64) -> Int32 {
        if writing == nil {
            var ends: [Int32] = [-1, -1]
            let kind = LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK
            guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return errno }
            reading = Descriptor(owning: ends[0])
            writing = Descriptor(owning: ends[1])
            let error = host?.listen(to: ends[0], .readable, key: 0) ?? EBADF
            guard error == 0 else {
                close()
                return error
            }
        }
        guard let report = writing?.number else { return EBADF }
        return -linux_write_aside(cgroup.descriptor, "memory.max", text, report, token)
    }

    func descriptorIsReady(_ key: UInt32) {
        guard let socket = reading?.number else { return }
        var result = linux_aside_result()
        let size = MemoryLayout<linux_aside_result>.size
        // Each was written whole.
        while read(socket, &result, size) == size {
            guard let (id, sentence) = underWay.removeValue(forKey: result.token) else { continue }
            // ENODEV: the worker and its cgroup went meanwhile.
            if result.error != 0, result.error != ENODEV { tell(id, sentence, result.error) }
        }
        // The next one is made when it is needed.
        if underWay.isEmpty { close() }
    }

    private func tell(_ id: IncarnationID?, _ sentence: String, _ error: Int32) {
        let reason = "\(ErrorCode.text(error)) (\(ErrorCode.name(error)))"
        host?.tell(.hostTrouble(id, sentence: "\(sentence): \(reason)"))
    }
}
