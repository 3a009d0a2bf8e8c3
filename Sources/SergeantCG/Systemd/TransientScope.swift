internal import CSystemd
internal import Glibc

/// A scope of systemd's, made for this process and delegated to it, as rootless container engines have one made:
/// `StartTransientUnit` of org.freedesktop.systemd1(5), asked of the user's own manager, or of the system's by root.
package enum TransientScope {
    /// How long the bus and the manager may take in all: requests to stop are held back meanwhile.
    private static let patience: Duration = .seconds(10)

    /// Why there is none.
    struct Fault: Error {
        /// What a sentence ends in: it names the bus and what came of it.
        let description: String
    }

    /// The unit's name: of an instance's name only what systemd allows in it.
    package static func unitName(instance: String, process: Int32) -> String {
        let kept = instance.unicodeScalars.map { scalar -> Character in
            let isFit =
                scalar.isASCII
                && (scalar.properties.isAlphabetic || "0123456789_-.:".unicodeScalars.contains(scalar))
            return isFit ? Character(scalar) : "_"
        }
        return "sergeantcg-\(String(kept.prefix(128)))-\(process).scope"
    }

    /// Returns when this process is in the scope. Nothing else of its cgroup moves with it.
    static func enter(instance: String) throws(Fault) {
        let bus = try Bus(until: .now + patience)
        try bus.getReady()
        let unit = unitName(instance: instance, process: getpid())
        // Before the call: the job's end may come before the answer is read.
        try bus.check(
            sd_bus_add_match(
                bus.connection, nil,
                "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'",
                { _, _, _ in 0 }, nil), "listen for the end of the job")
        let job = try bus.start(unit)
        let result = try bus.result(of: job)
        guard result == "done" else {
            throw Fault(description: "systemd's job for \(unit) ended as '\(result)' (see journalctl)")
        }
    }

    /// The address of a socket's file for sd_bus_set_address(3): what is not plain is written in hexadecimal.
    package static func address(_ path: String) -> String {
        let hexadecimal = Array("0123456789abcdef")
        var address = "unix:path="
        for byte in path.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                scalar.properties.isAlphabetic || "0123456789-_/.".unicodeScalars.contains(scalar)
            {
                address.unicodeScalars.append(scalar)
            } else {
                address += ["%", hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
            }
        }
        return address
    }

    /// A connection to the manager's bus, closed with this value. Nothing on it waits for longer than its deadline.
    private struct Bus: ~Copyable {
        let connection: OpaquePointer
        private let name: String
        private let deadline: ContinuousClock.Instant

        init(until deadline: ContinuousClock.Instant) throws(Fault) {
            self.deadline = deadline
            var made: OpaquePointer?
            var result: Int32
            if geteuid() == 0 {
                name = "the system bus"
                result = sd_bus_open_system(&made)
            } else {
                // Said outright, for a shell got by su or sudo does not have the variables of a session.
                let given = getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } ?? ""
                let directory = given.isEmpty ? "/run/user/\(geteuid())" : given
                name = "\(directory)/bus"
                result = sd_bus_new(&made)
                if result >= 0 { result = sd_bus_set_address(made, TransientScope.address(name)) }
                if result >= 0 { result = sd_bus_set_bus_client(made, 1) }
                if result >= 0 { result = sd_bus_start(made) }
            }
            guard result >= 0, let made else {
                sd_bus_unref(made)
                throw Fault(description: "\(name) cannot be reached: \(SystemdLibrary.words(for: result))")
            }
            connection = made
        }

        // Nothing is left to be sent, and flushing could wait.
        deinit { sd_bus_close_unref(connection) }

        /// Until the bus has let us in: the calls of sd-bus would wait for that as long as they like.
        func getReady() throws(Fault) {
            while true {
                let readiness = sd_bus_is_ready(connection)
                try check(readiness, "connect")
                if readiness > 0 { break }
                let progress = sd_bus_process(connection, nil)
                try check(progress, "connect")
                if progress == 0 { try wait("\(name) did not answer in time") }
            }
            try check(sd_bus_set_method_call_timeout(connection, microsecondsLeft()), "set a timeout")
        }

        /// Zero would mean the default of sd-bus.
        private func microsecondsLeft() -> UInt64 {
            let left = (deadline - .now).components
            guard left.seconds >= 0, left.attoseconds >= 0 else { return 1 }
            return UInt64(left.seconds) * 1_000_000 + UInt64(left.attoseconds / 1_000_000_000_000) + 1
        }

        private func wait(_ late: String) throws(Fault) {
            guard ContinuousClock.now < deadline else { throw Fault(description: late) }
            try check(sd_bus_wait(connection, microsecondsLeft()), "wait for systemd")
        }

        func check(_ result: Int32, _ operation: String) throws(Fault) {
            guard result < 0 else { return }
            throw Fault(description: "cannot \(operation) on \(name): \(SystemdLibrary.words(for: result))")
        }

        /// - Returns: the path of the job.
        func start(_ unit: String) throws(Fault) -> String {
            var made: OpaquePointer?
            try check(
                sd_bus_message_new_method_call(
                    connection, &made, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                    "org.freedesktop.systemd1.Manager", "StartTransientUnit"), "make a message")
            defer { sd_bus_message_unref(made) }
            guard let message = made else { throw Fault(description: "no message could be made") }
            try append("s", unit, to: message)
            try append("s", "fail", to: message)
            try open("a", "(sv)", in: message)
            try property("Description", "s", of: message) { (message) throws(Fault) in
                try append("s", "Workers of sergeantcg", to: message)
            }
            try property("Delegate", "b", of: message) { (message) throws(Fault) in
                try append(number: 1, as: "b", to: message)
            }
            try property("CollectMode", "s", of: message) { (message) throws(Fault) in
                try append("s", "inactive-or-failed", to: message)
            }
            try property("PIDs", "au", of: message) { (message) throws(Fault) in
                try open("a", "u", in: message)
                try append(number: UInt32(getpid()), as: "u", to: message)
                try close(message)
            }
            try close(message)
            // Auxiliary units: none.
            try open("a", "(sa(sv))", in: message)
            try close(message)

            var error = sd_bus_error()
            var answer: OpaquePointer?
            let result = sd_bus_call(connection, message, microsecondsLeft(), &error, &answer)
            defer {
                sd_bus_error_free(&error)
                sd_bus_message_unref(answer)
            }
            guard result >= 0 else {
                let words = error.message.map { String(cString: $0) } ?? SystemdLibrary.words(for: result)
                throw Fault(description: "systemd, asked over \(name), refused \(unit): \(words)")
            }
            return try text("o", of: answer)
        }

        /// - Returns: the job's result, in systemd's word.
        func result(of job: String) throws(Fault) -> String {
            while true {
                var received: OpaquePointer?
                let progress = sd_bus_process(connection, &received)
                defer { sd_bus_message_unref(received) }
                try check(progress, "wait for systemd")
                if let received,
                    sd_bus_message_is_signal(received, "org.freedesktop.systemd1.Manager", "JobRemoved") > 0
                {
                    var id: UInt32 = 0
                    try check(
                        sd_bus_message_read_basic(received, Self.type("u"), &id), "read a message")
                    let path = try text("o", of: received)
                    _ = try text("s", of: received)
                    if path == job { return try text("s", of: received) }
                }
                if progress == 0 {
                    try wait("systemd, asked over \(name), did not start the scope in time")
                }
            }
        }

        // MARK: Messages

        private func property(
            _ name: String, _ contents: String, of message: OpaquePointer,
            _ value: (OpaquePointer) throws(Fault) -> Void
        ) throws(Fault) {
            try open("r", "sv", in: message)
            try append("s", name, to: message)
            try open("v", contents, in: message)
            try value(message)
            try close(message)
            try close(message)
        }

        private func open(_ type: Unicode.Scalar, _ contents: String, in message: OpaquePointer) throws(Fault)
        {
            try check(sd_bus_message_open_container(message, Self.type(type), contents), "make a message")
        }

        private func close(_ message: OpaquePointer) throws(Fault) {
            try check(sd_bus_message_close_container(message), "make a message")
        }

        private func append(_ type: Unicode.Scalar, _ text: String, to message: OpaquePointer) throws(Fault) {
            try check(sd_bus_message_append_basic(message, Self.type(type), text), "make a message")
        }

        private func append(
            number: UInt32, as type: Unicode.Scalar, to message: OpaquePointer
        ) throws(Fault) {
            var number = number
            try check(sd_bus_message_append_basic(message, Self.type(type), &number), "make a message")
        }

        private func text(_ type: Unicode.Scalar, of message: OpaquePointer?) throws(Fault) -> String {
            var text: UnsafePointer<CChar>?
            try check(sd_bus_message_read_basic(message, Self.type(type), &text), "read a message")
            // The text is the message's own, and is copied before that goes.
            return text.map { String(cString: $0) } ?? ""
        }

        private static func type(_ letter: Unicode.Scalar) -> CChar {
            CChar(truncatingIfNeeded: letter.value)
        }
    }
}
