import CLinux
import Glibc
import SupervisorHarness
import Testing

/// The journal of a unit, what its processes say and what systemd says of it, followed from its first entry on.
final class Journal {
    struct Entry {
        /// Its number, from 0.
        let position: Int
        /// Every field that is text, by its name.
        let fields: [String: String]

        var message: String { fields["MESSAGE"] ?? "" }
        /// The message as a line of the JSON log.
        let line: Line?
    }

    private(set) var entries: [Entry] = []
    private let follower: Tool.Running
    private let descriptor: Int32
    private var partial: [UInt8] = []

    /// - Parameter unit: need not be loaded yet.
    convenience init(of unit: Unit) throws {
        switch unit.manager {
        case .system: try self.init(matching: ["_SYSTEMD_UNIT=\(unit.name)", "+", "UNIT=\(unit.name)"])
        case .user:
            try self.init(matching: ["_SYSTEMD_USER_UNIT=\(unit.name)", "+", "USER_UNIT=\(unit.name)"])
        }
    }

    /// - Parameter matches: journalctl's own, `FIELD=VALUE`; `+` is or.
    init(matching matches: [String]) throws {
        var ends: [Int32] = [-1, -1]
        guard linux_pipe2(&ends, O_CLOEXEC) == 0 else { throw HarnessFailure("pipe2: errno \(errno)") }
        defer { close(ends[1]) }
        descriptor = ends[0]
        follower = try Tool.start(
            ["journalctl", "--quiet", "--follow", "--no-tail", "--all", "--output=json"] + matches,
            output: ends[1])
    }

    deinit {
        kill(follower.pid, SIGKILL)
        _ = try? follower.waitForEnd()
        close(descriptor)
    }

    /// Waits for an entry. Those that were read before count too, from `position` on.
    @discardableResult
    func waitFor(
        _ what: String, from position: Int = 0, within patience: Duration = .seconds(60),
        matching: (Entry) -> Bool
    ) throws -> Entry {
        let deadline = ContinuousClock.now + patience
        var next = position
        while true {
            while next < entries.count {
                defer { next += 1 }
                if matching(entries[next]) { return entries[next] }
            }
            let left = deadline - .now
            guard left > .zero else { throw HarnessFailure("waited in vain for \(what)") }
            try read(milliseconds: Int32(clamping: left.components.seconds * 1000 + 1))
        }
    }

    /// Waits for a line of the JSON log.
    @discardableResult
    func waitForLine(
        _ event: String, from position: Int = 0, within patience: Duration = .seconds(60),
        matching: (Line) -> Bool = { _ in true }
    ) throws -> Line {
        let entry = try waitFor("the event \(event)", from: position, within: patience) { entry in
            entry.line.map { $0.event == event && matching($0) } ?? false
        }
        return try #require(entry.line)
    }

    /// Waits for an entry of `--log-format journal`.
    @discardableResult
    func waitForEvent(
        _ event: String, from position: Int = 0, within patience: Duration = .seconds(60)
    ) throws -> Entry {
        try waitFor("the event \(event)", from: position, within: patience) {
            $0.fields["SERGEANT_EVENT"] == event
        }
    }

    /// Waits for a message with these words in it.
    @discardableResult
    func waitForMessage(
        containing words: String, from position: Int = 0, within patience: Duration = .seconds(60)
    ) throws -> Entry {
        try waitFor("\"\(words)\"", from: position, within: patience) { $0.message.contains(words) }
    }

    /// How many lines of the log say the one thing, by when the other was said so many times.
    func lines(_ event: String, until last: String, times: Int) throws -> Int {
        var position = 0
        for number in 1...times {
            let entry = try waitFor("\(last) number \(number)", from: position) { $0.line?.event == last }
            position = entry.position + 1
        }
        return entries[..<position].count { $0.line?.event == event }
    }

    /// All that was read, for a person.
    var transcript: String {
        while (try? read(milliseconds: 200)) == true {}
        return entries.suffix(60).map { "  \($0.fields["SYSLOG_IDENTIFIER"] ?? "-"): \($0.message)\n" }
            .joined()
    }

    @discardableResult
    private func read(milliseconds: Int32) throws -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, milliseconds) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else {
            throw HarnessFailure("journalctl ended: \(String(decoding: partial, as: UTF8.self))")
        }
        var pieces = (partial + buffer[..<count]).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        partial = Array(pieces.removeLast())
        for piece in pieces {
            guard case .object(let object) = JSONValue.parse(piece) else { continue }
            var fields: [String: String] = [:]
            for case (let name, .text(let text)) in object { fields[name] = text }
            entries.append(
                Entry(
                    position: entries.count, fields: fields,
                    line: Line.parse((fields["MESSAGE"] ?? "").utf8)))
        }
        return true
    }
}
