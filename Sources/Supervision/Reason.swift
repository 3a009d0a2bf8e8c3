/// Why an incarnation ended: exactly one, the first cause that was acted on, else what the kernel tells.
/// The raw values are the words of the log.
public enum Reason: String, Hashable, Codable, Sendable, CaseIterable {
    case finished
    case respawnRequested = "respawn_requested"
    case stopRequested = "stop_requested"
    case failed
    case crashed
    case oomKilled = "oom_killed"
    case memoryLimit = "memory_limit"
    case memoryPressure = "memory_pressure"
    case watchdog
    case startTimeout = "start_timeout"
    case startFailed = "start_failed"
    case lifetime
    case restart
    case scaleDown = "scale_down"
    case shutdown

    /// What a reason does to the slot's back-off.
    public enum Weight: Hashable, Sendable {
        /// It did what it was to do.
        case success
        /// It was asked to go for its own good or the pool's.
        case recycle
        /// It counts against the slot and the group.
        case failure
    }

    /// What this reason does to the slot's back-off.
    public var weight: Weight {
        switch self {
        case .finished, .respawnRequested, .stopRequested: .success
        case .memoryLimit, .memoryPressure, .lifetime, .restart, .scaleDown, .shutdown: .recycle
        case .failed, .crashed, .oomKilled, .watchdog, .startTimeout, .startFailed: .failure
        }
    }
}
