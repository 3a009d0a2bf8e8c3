internal import FoundationEssentials
internal import Glibc
public import Supervision

/// Tells systemd how the supervisor stands (sd_notify(3)), and that it is alive (sd_watchdog_enabled(3)); says nothing
/// where there is no systemd to tell.
///
/// The watchdog is served at the end of a turn of the event loop: only a supervisor that takes in what comes, decides
/// on it and does it, is alive.
public final class ServiceNotification: Observer {
    private let socket: ServiceSocket?
    /// Half the time within which systemd wants a sign of life.
    private let watchdogInterval: Duration?
    private var host: HostAccess?
    private var status = ServiceStatus()
    private var statusSent: String?
    private var mostReady = 0
    private var isStopping = false
    private var watchdogIsDue = false
    private var awaited: Int32?

    private static let watchdogTimer: UInt32 = 0
    private static let room: UInt32 = 0

    /// Finds systemd by `NOTIFY_SOCKET`, and the watchdog by `WATCHDOG_USEC` and `WATCHDOG_PID`.
    public init() {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        socket = ServiceSocket(address: variable("NOTIFY_SOCKET"))
        watchdogInterval = Self.watchdogInterval(
            microseconds: variable("WATCHDOG_USEC"), pid: variable("WATCHDOG_PID"), own: getpid())
    }

    /// Half of `WATCHDOG_USEC`, where that is meant for this process.
    package static func watchdogInterval(microseconds: String?, pid: String?, own: Int32) -> Duration? {
        guard let microseconds, let value = Int64(microseconds), value > 1 else { return nil }
        if let pid, Int32(pid) != own { return nil }
        return .microseconds(value / 2)
    }

    /// Says why there is no supervision, where it could not be started: `systemctl status` shows it.
    public static func tellFailure(_ fault: SupervisorError) {
        let socket = ServiceSocket(address: getenv("NOTIFY_SOCKET").map { String(cString: $0) })
        socket?.add(.status, "STATUS=\(ServiceStatus.line(fault.description))")
        if let errno = fault.errno { socket?.add(.errno, "ERRNO=\(errno)") }
        socket?.flush()
    }

    /// Says that a program which is no supervisor serves, and how.
    package static func tellReady(_ status: String) {
        let socket = ServiceSocket(address: getenv("NOTIFY_SOCKET").map { String(cString: $0) })
        socket?.add(.ready, "READY=1")
        socket?.add(.status, "STATUS=\(ServiceStatus.line(status))")
        socket?.flush()
    }

    /// systemd is told of readiness alone.
    public var tellsUsage: Bool { false }

    /// Takes note of what this occurrence changes for systemd.
    public func observe(_ occurrence: Occurrence, named names: Names) {
        guard let socket else { return }
        status.observe(occurrence, named: names)
        switch occurrence {
        case .supervisorStarted: extend(socket, Self.startAllowance(of: host?.supervision))
        case .supervisorReady, .supervisorReloaded: socket.add(.ready, "READY=1")
        case .supervisorReloading:
            // Newer than any READY that still waits.
            socket.add(
                .reloading, "RELOADING=1\nMONOTONIC_USEC=\(Instant.now().nanoseconds / 1000)")
        case .supervisorStopping:
            isStopping = true
            socket.add(.stopping, "STOPPING=1")
            extend(socket, Self.stopAllowance(of: host?.supervision))
        case .supervisorBroken(let sentence):
            // The loop turns no more: sent when all parts of it leave, for what systemd does then is quick.
            socket.add(.watchdog, "WATCHDOG=trigger")
            socket.add(.status, "STATUS=\(ServiceStatus.line(sentence))")
        case .workerReady: noteProgress(socket)
        case .workerExited where isStopping: extend(socket, Self.stopAllowance(of: host?.supervision))
        default: break
        }
    }

    // MARK: Time

    /// A pool of many, or a roll of many, is given time as long as it gets on: never because it is merely alive.
    private func noteProgress(_ socket: ServiceSocket) {
        guard !isStopping, let supervision = host?.supervision else { return }
        let isRolling = (0..<supervision.groupCount).contains { supervision.group($0)?.slotsToRoll != nil }
        guard isRolling || supervision.ready > mostReady else { return }
        mostReady = max(mostReady, supervision.ready)
        extend(socket, max(Self.progressAllowance, Self.startAllowance(of: supervision) ?? .zero))
    }

    private func extend(_ socket: ServiceSocket, _ time: Duration?) {
        guard let time else { return }
        socket.add(.extendTimeout, "EXTEND_TIMEOUT_USEC=\(time.microseconds)")
    }

    /// After a step forward, the next must come within this time.
    private static let progressAllowance: Duration = .seconds(30)
    /// Beyond a worker's own time: throttling that still lasts, and the tries to kill it.
    private static let margin: Duration = .seconds(12)

    private static func policies(_ supervision: Supervision?) -> [GroupPolicy] {
        guard let supervision else { return [] }
        return (0..<supervision.groupCount).compactMap { supervision.group($0)?.policy }
    }

    /// The longest start that was allowed to a worker; nil where one may take for ever: then it is for systemd to say
    /// how long.
    private static func startAllowance(of supervision: Supervision?) -> Duration? {
        let policies = policies(supervision)
        let longest = policies.compactMap(\.startTimeout).max()
        let isBounded = policies.allSatisfy { $0.startTimeout != nil || $0.readiness == .whenStarted }
        return isBounded ? longest.map { $0 + margin } : nil
    }

    /// The grace of the most patient group, and once more for what its workers leave behind.
    private static func stopAllowance(of supervision: Supervision?) -> Duration? {
        policies(supervision).map(\.stopTimeout).max().map { $0 + $0 + margin }
    }
}

extension ServiceNotification: LoopPart {
    package func join(_ host: HostAccess) throws(SupervisorError) {
        self.host = host
        watchdogIsDue = watchdogInterval != nil
    }

    package func timerIsDue(_ key: UInt32) {
        watchdogIsDue = true
    }

    package func endTurn() {
        guard let socket, let host else { return }
        if watchdogIsDue, let watchdogInterval {
            watchdogIsDue = false
            socket.add(.watchdog, "WATCHDOG=1")
            host.setTimer(Self.watchdogTimer, at: .now() + watchdogInterval)
        }
        let text = status.text(ready: host.supervision.ready, desired: host.supervision.desired)
        if text != statusSent {
            statusSent = text
            socket.add(.status, "STATUS=\(text)")
        }
        socket.flush()
        awaitRoom(socket, host)
    }

    private func awaitRoom(_ socket: ServiceSocket, _ host: HostAccess) {
        let descriptor = socket.awaitedDescriptor
        guard descriptor != awaited else { return }
        if let awaited { host.ignore(awaited) }
        awaited = nil
        // What epoll does not take is tried again at the end of the next turn.
        if let descriptor, host.listen(to: descriptor, .writable, key: Self.room) == 0 {
            awaited = descriptor
        }
    }

    package func leave() {
        socket?.flush()
        if let awaited { host?.ignore(awaited) }
        awaited = nil
        host = nil
    }
}

extension ServiceNotification: Remembering {
    private struct Memory: Codable {
        var status: ServiceStatus
        var mostReady: Int
        var isStopping: Bool
        var waiting: [ServiceSocket.Field: String]
    }

    package var memoryName: String { "service" }

    package func remember() throws -> UpgradeMemory {
        UpgradeMemory(
            try JSONEncoder().encode(
                Memory(
                    status: status, mostReady: mostReady, isStopping: isStopping,
                    waiting: socket?.waiting ?? [:])))
    }

    package func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        status = memory.status
        mostReady = memory.mostReady
        isStopping = memory.isStopping
        socket?.waiting = memory.waiting
    }
}
