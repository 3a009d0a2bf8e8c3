internal import Glibc

extension JournalEntry {
    /// Adds all that a record says, under systemd's names (systemd.journal-fields(7)) where it has some.
    package mutating func add(_ record: Record) {
        if let id = MessageID(of: record) { add("MESSAGE_ID", id.rawValue) }
        add("PRIORITY", "\(Self.priority(record.level))")
        add("MESSAGE", record.message)
        add("SERGEANT_EVENT", record.event)
        for (name, value) in record.fields { add(field: name, value) }
    }

    /// syslog(3)'s number of a level.
    private static func priority(_ level: Record.Level) -> Int32 {
        switch level {
        case .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        case .critical: LOG_CRIT
        }
    }

    private mutating func add(field name: String, _ value: Record.Value) {
        switch (name, value) {
        case ("group", _), ("worker", _), ("slot", _), ("incarnation", _), ("reason", _):
            add("SERGEANT_" + name.uppercased(), value)
        case ("pid", _):
            add("OBJECT_PID", value)
        case ("cpu_usage_usec", .unsigned(let microseconds)):
            let (nanoseconds, isTooMuch) = microseconds.multipliedReportingOverflow(by: 1000)
            add("CPU_USAGE_NSEC", .unsigned(isTooMuch ? .max : nanoseconds))
        // As systemd tells of a process's end: how, and the code or the signal's number.
        case ("exit_code", _):
            add("EXIT_CODE", "exited")
            add("EXIT_STATUS", value)
        case ("signal", _):
            add("EXIT_CODE", "killed")
            add("EXIT_STATUS", value)
        default:
            add(name.uppercased(), value)
        }
    }

    private mutating func add(_ name: String, _ value: Record.Value) {
        switch value {
        case .text(let text): add(name, text)
        case .integer(let number): add(name, String(number))
        case .unsigned(let number): add(name, String(number))
        case .boolean(let flag): add(name, flag ? "yes" : "no")
        case .texts(let texts): for text in texts { add(name, text) }
        }
    }
}
