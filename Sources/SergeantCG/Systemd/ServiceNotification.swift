internal import CSystemd
public import Supervision

/// Tells systemd how the supervisor stands (sd_notify(3)); says nothing where there is no systemd to tell.
public final class ServiceNotification: Observer {
    /// Finds systemd by `NOTIFY_SOCKET`, at each message.
    public init() {}

    /// Sends what this occurrence changes for systemd, if it changes something.
    public func observe(_ occurrence: Occurrence, named names: Names) {
        let state: String
        switch occurrence {
        case .supervisorReady: state = "READY=1\nSTATUS=all workers are ready"
        case .supervisorStopping: state = "STOPPING=1\nSTATUS=stopping"
        default: return
        }
        // Zero: there is no one to tell. Negative: systemd does not listen; supervision goes on all the same.
        _ = sd_notify(0, state)
    }
}
