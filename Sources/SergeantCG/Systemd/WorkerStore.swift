internal import CgroupKit
internal import FoundationEssentials
internal import Glibc
internal import Supervision

/// Has systemd keep the descriptors of every worker that runs (`FileDescriptorStoreMax=`), so that the next supervisor
/// finds them where this one is killed and `KillMode=process` spares them. See ``StoredWorker``.
///
/// Nothing here waits: what systemd does not take now is kept, and sent when there is room.
final class WorkerStore: Observer, LoopPart {
    private final class Message {
        let name: String
        /// A duplicate, so that it is still open when it is sent; nil has the name forgotten.
        let descriptor: Int32?

        init(_ name: String, _ descriptor: Int32?) {
            self.name = name
            self.descriptor = descriptor
        }

        deinit {
            if let descriptor { close(descriptor) }
        }
    }

    private static let room: UInt32 = 0

    private let socket: ServiceSocket
    private var host: HostAccess?
    private var waiting: [Message] = []
    private var awaited: Int32?

    /// - Returns: nil where there is no store, or where it is too small for all of them and `others`.
    init?(for groups: [GroupConfiguration], others: Int) {
        let needed = groups.reduce(others) { $0 + $1.workers * ($1.reports ? 2 : 1) }
        guard let capacity = DescriptorStore().capacity, capacity >= needed,
            let socket = ServiceSocket(address: getenv("NOTIFY_SOCKET").map { String(cString: $0) })
        else { return nil }
        self.socket = socket
    }

    func join(_ host: HostAccess) {
        self.host = host
    }

    func leave() {
        flush()
        host = nil
    }

    var tellsUsage: Bool { false }

    func observe(_ occurrence: Occurrence, named names: Names) {
        switch occurrence {
        case .workerStarted(let id, _, _):
            // What it prints goes through us: without a reader it could not live on.
            guard let host, let worker = host.worker(id), host.configurations[id.group].output != .prefix
            else { return }
            if let pidfd = worker.process?.pidfd { keep(pidfd, name(id, .process, names)) }
            if let reports = worker.reports?.descriptor.number { keep(reports, name(id, .reports, names)) }
        case .workerExited(let id, let pid?, let end):
            // One that never ran was never stored.
            guard pid > 0, end.failure == nil else { return }
            waiting.append(Message(name(id, .process, names), nil))
            waiting.append(Message(name(id, .reports, names), nil))
        default: break
        }
    }

    private func name(_ id: IncarnationID, _ kind: StoredWorker.Kind, _ names: Names) -> String {
        StoredWorker.name(
            group: names.group(id.group), slot: id.slot.slot, number: id.number, kind)
    }

    private func keep(_ descriptor: Int32, _ name: String) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        // Without a descriptor to spare, this worker would not be found again; it runs all the same.
        guard copy >= 0 else { return }
        waiting.append(Message(name, copy))
    }

    func endTurn() {
        guard !waiting.isEmpty || awaited != nil else { return }
        flush()
    }

    private func flush() {
        var sent = 0
        for message in waiting {
            let text =
                message.descriptor == nil
                ? DescriptorStore.forgetting(message.name) : DescriptorStore.keeping(message.name)
            guard socket.send(text, with: message.descriptor) else { break }
            sent += 1
        }
        waiting.removeFirst(sent)
        let descriptor = waiting.isEmpty ? nil : socket.number
        guard descriptor != awaited, let host else { return }
        if let awaited { host.ignore(awaited) }
        awaited = nil
        // What epoll does not take is tried again at the end of the next turn.
        if let descriptor, host.listen(to: descriptor, .writable, key: Self.room) == 0 {
            awaited = descriptor
        }
    }
}

extension WorkerStore: Remembering {
    private struct Memory: Codable {
        struct Message: Codable {
            var name: String
            var descriptor: Int32?
        }

        var waiting: [Message]
    }

    var memoryName: String { "worker-store" }

    func remember() throws -> UpgradeMemory {
        let memory = Memory(waiting: waiting.map { .init(name: $0.name, descriptor: $0.descriptor) })
        return UpgradeMemory(
            try JSONEncoder().encode(memory), descriptors: memory.waiting.compactMap(\.descriptor))
    }

    func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        waiting = memory.waiting.map { Message($0.name, $0.descriptor) }
    }
}

extension GroupConfiguration {
    /// Its workers have a pipe on which they say how they stand.
    fileprivate var reports: Bool {
        if case .sergeant = program { true } else { false }
    }
}
