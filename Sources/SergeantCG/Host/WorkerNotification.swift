package import Supervision

/// One datagram that a worker sent to its notify socket (sd_notify(3)), read without trust: whatever the bytes
/// are, the result is bounded, and what is not understood is counted and otherwise ignored.
package struct WorkerNotification: Hashable, Sendable {
    /// Longer datagrams are not read further; systemd's own bound is a page.
    package static let mostBytes = 4096
    /// Bytes of a status text that are kept.
    package static let mostStatusBytes = 512

    /// What supervision is told, in the order in which it stood there.
    package private(set) var inputs: [Incarnation.Input] = []
    /// `STATUS=`, the last one; empty where the worker took it back.
    package private(set) var status: String?
    /// `BARRIER=1`, which is heard only where it stands alone.
    package private(set) var isBarrier = false
    /// Lines that are no assignment, or whose value cannot be what it is to be.
    package private(set) var faults = 0

    /// - Parameter bytes: the datagram; what is past ``mostBytes`` is not looked at.
    package init(_ bytes: some Collection<UInt8>) {
        let whole = bytes.count <= Self.mostBytes
        var lines = bytes.prefix(Self.mostBytes).split(separator: UInt8(ascii: "\n"))
        if !whole {
            // The last line was cut in two.
            if !lines.isEmpty { lines.removeLast() }
            faults += 1
        }
        for line in lines { take(line) }
        isBarrier = whole && lines.count == 1 && lines[0].elementsEqual("BARRIER=1".utf8)
        if bytes.isEmpty { faults += 1 }
    }

    private mutating func take(_ line: some Collection<UInt8>) {
        guard let sign = line.firstIndex(of: UInt8(ascii: "=")), sign != line.startIndex else {
            faults += 1
            return
        }
        let value = line[line.index(after: sign)...]
        switch String(decoding: line[..<sign], as: UTF8.self) {
        case "READY": take(value, "1", .ready)
        case "STOPPING": take(value, "1", .leaving)
        case "WATCHDOG" where value.elementsEqual("trigger".utf8): inputs.append(.broken)
        case "WATCHDOG": take(value, "1", .alive)
        case "WATCHDOG_USEC": if let time = time(value) { inputs.append(.watchdogInterval(time)) }
        case "EXTEND_TIMEOUT_USEC": if let time = time(value) { inputs.append(.extended(time)) }
        case "STATUS": takeStatus(value)
        // MAINPID, FDSTORE, ERRNO, RELOADING and whatever else there is or will be: nothing is decided on it.
        default: break
        }
    }

    private mutating func take(
        _ value: some Collection<UInt8>, _ expected: String, _ input: Incarnation.Input
    ) {
        if value.elementsEqual(expected.utf8) { inputs.append(input) } else { faults += 1 }
    }

    /// Microseconds, digits only; a century stands for all that is longer. A number of more than 64 bits is none, as it is
    /// none to systemd: a deadline must not go away with it.
    private mutating func time(_ value: some Collection<UInt8>) -> Duration? {
        let century: UInt64 = 100 * 365 * 86400 * 1_000_000
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard value.allSatisfy(digits.contains), let number = UInt64(String(decoding: value, as: UTF8.self))
        else {
            faults += 1
            return nil
        }
        return .microseconds(Int64(min(number, century)))
    }

    /// Only what is UTF-8 is shown to a person, on one line, and not without end.
    private mutating func takeStatus(_ value: some Collection<UInt8>) {
        guard let text = String(validating: value, as: UTF8.self) else {
            faults += 1
            return
        }
        var shown = ""
        var length = 0
        for scalar in text.unicodeScalars {
            let isControl = scalar.properties.generalCategory == .control
            let next: Unicode.Scalar = isControl ? " " : scalar
            length += UTF8.width(next)
            if length > Self.mostStatusBytes { break }
            shown.unicodeScalars.append(next)
        }
        status = shown
    }
}
