internal import CLinux
internal import CgroupKit
internal import FoundationEssentials
internal import Glibc
internal import Supervision

/// Writes of limits below what is in use: the kernel takes memory back first, which may last for seconds, and the loop
/// must not wait for it. Each has a thread that lives only for it; there is none while nobody lowers a limit, and never
/// more than a few.
final class SlowWrites: LoopPart, Remembering {
    private struct Errand: Codable {
        /// Of the cgroup.
        var path: String
        var bytes: UInt64
        /// Whose it is; nil for a group's.
        var id: IncarnationID?

        var sentence: String { "cannot write '\(bytes)' to \(path)/memory.max" }
    }

    private static let mostThreads = 4

    private var host: HostAccess?
    private var reading: Descriptor?
    private var writing: Descriptor?
    private var waiting = Queue<Errand>()
    private var underWay: [UInt64: Errand] = [:]
    private var count: UInt64 = 0

    func join(_ host: HostAccess) {
        self.host = host
        beginWaiting()
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
        waiting.append(Errand(path: cgroup.path, bytes: bytes, id: id))
        beginWaiting()
    }

    private func beginWaiting() {
        while underWay.count < Self.mostThreads, let errand = waiting.next() {
            do throws(CgroupError) {
                count += 1
                let error = begin(errand, try Cgroup.open(errand.path))
                if error == 0 { underWay[count] = errand } else { tell(errand, error) }
            } catch {
                // Who went meanwhile has no limit any more.
                if error.errno != ENOENT { tell(errand, error.errno) }
            }
        }
    }

    /// - Returns: 0, or the errno.
    private func begin(_ errand: Errand, _ cgroup: borrowing Cgroup) -> Int32 {
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
        return -linux_write_aside(cgroup.descriptor, "memory.max", String(errand.bytes), report, count)
    }

    func descriptorIsReady(_ key: UInt32) {
        guard let socket = reading?.number else { return }
        var result = linux_aside_result()
        let size = MemoryLayout<linux_aside_result>.size
        // Each was written whole.
        while read(socket, &result, size) == size {
            guard let errand = underWay.removeValue(forKey: result.token) else { continue }
            // ENODEV: the worker and its cgroup went meanwhile.
            if result.error != 0, result.error != ENODEV { tell(errand, result.error) }
        }
        beginWaiting()
        // The next one is made when it is needed.
        if underWay.isEmpty { close() }
    }

    private func tell(_ errand: Errand, _ error: Int32) {
        let reason = "\(ErrorCode.text(error)) (\(ErrorCode.name(error)))"
        host?.tell(.hostTrouble(errand.id, sentence: "\(errand.sentence): \(reason)"))
    }

    // MARK: Across an upgrade

    let memoryName = "slow-writes"

    /// Threads end with the image that made them: what they are at is done again.
    func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(Array(underWay.values) + waiting.all))
    }

    func recall(_ memory: UpgradeMemory) {
        for errand in (try? JSONDecoder().decode([Errand].self, from: memory.bytes)) ?? [] {
            waiting.append(errand)
        }
    }
}
