internal import CLinux
internal import FoundationEssentials
internal import Glibc
package import Supervision

/// The account of every incarnation, a line of JSON each, at the end of a file.
///
/// A file that was renamed or removed is made anew; a line that a crash tore is ended before the next. What a full disk
/// does not take is counted and told.
package final class AccountingFile: BufferedObserver, LoopPart, Remembering {
    private let path: String
    private var file: Descriptor
    private var identity: FileIdentity
    private var sink: LineSink
    private var host: HostAccess?

    /// - Throws: ``SupervisorError`` where the file cannot be written.
    package init(path: String) throws(SupervisorError) {
        self.path = path
        file = try Self.open(path)
        identity = try Self.identity(of: file, path)
        sink = LineSink(descriptor: file.number)
        endTornLine()
    }

    package var keepsAccount: Bool { true }
    package var tellsUsage: Bool { false }

    package func join(_ host: HostAccess) { self.host = host }
    package func leave() { host = nil }

    package func observe(_ occurrence: Occurrence, named names: Names) {
        switch occurrence {
        case .workerAccounted(let id, let account): sink.append(Self.line(id, account, names))
        // Whoever has renamed it wants another.
        case .supervisorReloading: renew()
        default: break
        }
    }

    // MARK: Lines

    private static func line(_ id: IncarnationID, _ account: Account, _ names: Names) -> [UInt8] {
        var text = JSONText()
        text.object { object in
            object.member("started", .text(account.started))
            object.member("group", .text(names.group(id.slot.group)))
            object.member("worker", .text(names.worker(id.slot)))
            object.member("slot", .integer(Int64(id.slot.slot)))
            object.member("incarnation", .integer(Int64(id.number)))
            object.member("pid", optional: account.pid.map { .integer(Int64($0)) })
            for (name, value) in account.fields { object.member(name, optional: value) }
        }
        text.newline()
        return text.bytes
    }

    // MARK: The file

    package var awaitedDescriptor: Int32? { nil }

    package func flush() {
        guard sink.isWaiting else { return }
        if FileIdentity(of: path, followsLink: true) != identity { renew() }
        sink.flush()
        guard sink.dropped > 0, sink.hasRoom || !sink.isWaiting else { return }
        let lost = sink.takeDropped()
        host?.tell(
            .hostTrouble(
                nil,
                sentence:
                    "\(lost) line\(lost == 1 ? "" : "s") of the account could not be written to \(path): make room on its disk"
            ))
    }

    /// What waits goes to the one that lies there now, or to a new one. Where neither can be had, the old one goes on.
    private func renew() {
        guard let next = try? Self.open(path), let identity = try? Self.identity(of: next, path) else {
            return
        }
        let waiting = sink.memory
        file = next
        self.identity = identity
        sink = LineSink(descriptor: file.number)
        endTornLine()
        sink.recall(waiting)
    }

    /// A named pipe without a reader is refused, not waited for.
    private static func open(_ path: String) throws(SupervisorError) -> Descriptor {
        let number = Glibc.open(
            path, O_RDWR | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, 0o640)
        return try Descriptor(number, operation: "write the account to \(path)", errno: errno)
    }

    private static func identity(
        of file: borrowing Descriptor, _ path: String
    ) throws(SupervisorError) -> FileIdentity {
        var status = stat()
        guard fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw SupervisorError(
                .system, "cannot write the account to \(path): it is no ordinary file")
        }
        return FileIdentity(status)
    }

    private func endTornLine() {
        var status = stat()
        var last: UInt8 = 0
        guard fstat(file.number, &status) == 0, status.st_size > 0,
            pread(file.number, &last, 1, status.st_size - 1) == 1, last != UInt8(ascii: "\n")
        else { return }
        sink.append([UInt8(ascii: "\n")])
    }

    // MARK: Across an upgrade

    package let memoryName = "account"

    private struct Memory: Codable {
        var sink: LineSink.Memory
    }

    package func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(Memory(sink: sink.memory)))
    }

    package func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        sink.recall(memory.sink)
    }
}
