internal import CSystemd
internal import Glibc

/// What systemd passed to this process (sd_listen_fds(3)): sockets of a socket unit, and what an earlier start of the
/// service left in the store.
struct PassedDescriptors {
    struct Item {
        /// Close-on-exec.
        let descriptor: Int32
        let name: String
    }

    /// In systemd's order, as far as nobody has taken it.
    private(set) var items: [Item] = []

    /// Nothing was passed.
    init() {}

    /// Takes what was passed; its variables are gone, so that nobody takes it twice.
    static func take() throws(SupervisorError) -> PassedDescriptors {
        // Nothing was passed, so libsystemd need not be loaded to say so.
        guard getenv("LISTEN_FDS") != nil || getenv("LISTEN_PID") != nil else { return PassedDescriptors() }
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        guard count >= 0 else {
            throw SupervisorError(
                .system,
                "cannot take the sockets that LISTEN_FDS says were passed: \(SystemdLibrary.words(for: count))"
            )
        }
        var passed = PassedDescriptors()
        for index in 0..<Int(count) {
            let text = names?[index]
            let name = text.map { String(cString: $0) } ?? "unknown"
            free(text)
            passed.items.append(Item(descriptor: ListeningSockets.firstTarget + Int32(index), name: name))
        }
        free(names)
        return passed
    }

    /// Hands over those whose name begins so, with the rest of the name; they are the caller's.
    mutating func take(named prefix: String) -> [Item] {
        defer { items.removeAll { $0.name.hasPrefix(prefix) } }
        return items.filter { $0.name.hasPrefix(prefix) }.map {
            Item(descriptor: $0.descriptor, name: String($0.name.dropFirst(prefix.count)))
        }
    }
}
