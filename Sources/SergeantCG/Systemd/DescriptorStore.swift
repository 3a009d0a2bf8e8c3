internal import CSystemd
internal import Glibc

/// systemd's store of descriptors: what a service gives it comes back at the next start, as passed sockets do
/// (`FileDescriptorStoreMax=` of systemd.service(5), `FDSTORE=1` of sd_notify(3)).
struct DescriptorStore {
    /// Before every name that is ours, so that what we stored is never taken for what a socket unit passes.
    static let prefix = "sergeantcg."

    /// Whether there is one. systemd says so by `FDSTORE` since 254. One that is older says nothing: it is tried, and
    /// costs a line in the journal where the unit has no store. (`MEMORY_PRESSURE_WATCH` came with 254 too.)
    let exists: Bool
    /// How many descriptors it takes; nil where systemd does not say.
    let capacity: Int?

    init() {
        func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        capacity = value("FDSTORE").map { Int($0) ?? 0 }
        if let capacity {
            exists = capacity > 0
        } else {
            exists = value("INVOCATION_ID") != nil && value("MEMORY_PRESSURE_WATCH") == nil
        }
    }

    /// Gives it a descriptor. To give one again that it has changes nothing. For the start: systemd reads its socket
    /// all the time, but a message to it may wait.
    ///
    /// - Parameter name: printable ASCII without `:`; ``prefix`` is put before it.
    /// - Returns: false where there is no one to give it to.
    func put(_ descriptor: Int32, named name: String) -> Bool {
        guard exists else { return false }
        var descriptors = [descriptor]
        return sd_pid_notify_with_fds(0, 0, Self.keeping(name), &descriptors, 1) > 0
    }

    /// Has it forget what has this name.
    func remove(named name: String) {
        // Zero: there is no one to tell. Negative: it comes again at the next start, and is removed then.
        _ = sd_notify(0, Self.forgetting(name))
    }

    // MARK: Messages

    /// What goes with a descriptor that it is to keep.
    static func keeping(_ name: String) -> String { "FDSTORE=1\nFDNAME=\(prefix)\(name)" }

    static func forgetting(_ name: String) -> String { "FDSTOREREMOVE=1\nFDNAME=\(prefix)\(name)" }
}
