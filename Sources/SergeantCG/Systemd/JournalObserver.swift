internal import FoundationEssentials
internal import Glibc
public import Supervision

/// The log of the program as entries of systemd's journal: each occurrence with its `MESSAGE_ID` and all its
/// fields, for `journalctl -o json`, `journalctl SERGEANT_WORKER=…` and `journalctl -x`.
public final class JournalObserver: ProgramLog, Remembering {
    private let socket: JournalSocket
    private let least: Record.Level
    /// What is the same in every entry.
    private let common: JournalEntry

    /// - Parameters:
    ///   - identifier: who speaks: `SYSLOG_IDENTIFIER`.
    ///   - least: records below this level are left out.
    /// - Throws: ``SupervisorError`` where there is no journald to log to.
    public convenience init(identifier: String, least: Record.Level = .info) throws(SupervisorError) {
        self.init(socket: try JournalSocket(), identifier: identifier, least: least)
    }

    package init(socket: JournalSocket, identifier: String, least: Record.Level = .info) {
        self.socket = socket
        self.least = least
        var common = JournalEntry()
        common.add("SYSLOG_IDENTIFIER", identifier)
        common.add("SYSLOG_FACILITY", "\(LOG_DAEMON >> 3)")
        common.add("SYSLOG_PID", "\(getpid())")
        self.common = common
    }

    /// `sergeantcg`, or `sergeantcg-NAME` of an instance that has a name.
    public static func identifier(ofInstance name: String) -> String {
        name == Configuration.defaultName ? "sergeantcg" : "sergeantcg-\(name)"
    }

    /// As systemd tells what a unit took; unless it would be left out.
    public var keepsAccount: Bool { least <= .info }

    /// Sends this occurrence, or keeps it for later.
    public func observe(_ occurrence: Occurrence, named names: Names) {
        send(Record(occurrence, names: names))
    }

    package var awaitedDescriptor: Int32? { socket.readiness }

    /// Tries to send what waits; what had to be dropped meanwhile is said then.
    package func flush() {
        socket.flush()
        guard socket.dropped > 0, socket.hasRoom else { return }
        let dropped = socket.takeDropped()
        send(
            Record(
                .warning, "log_dropped", "\(dropped) log entries were dropped: the journal did not take them",
                [("lines", .unsigned(dropped))]))
        socket.flush()
    }

    package func finish() {
        flush()
        socket.drain(milliseconds: 500)
    }

    // MARK: Across an upgrade

    package let memoryName = "journal"

    package func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(socket.memory))
    }

    package func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(JournalSocket.Memory.self, from: memory.bytes) else {
            return
        }
        socket.recall(memory)
    }

    private func send(_ record: Record) {
        guard record.level >= least else { return }
        var entry = JournalEntry(beginningAs: common)
        entry.add(record)
        socket.append(entry.bytes)
    }
}
