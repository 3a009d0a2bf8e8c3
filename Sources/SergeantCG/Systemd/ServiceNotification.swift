internal import CSystemd
public import Supervision

/// Tells systemd how the supervisor stands (sd_notify(3)); says nothing where there is no systemd to tell.
public final class ServiceNotification: Observer {
    public init() {}

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
