/// What supervision must know of a group of workers to decide for it. How a worker is started is the
/// host's to know.
public struct GroupPolicy: Hashable, Codable, Sendable {
    /// When a worker counts as ready to work.
    public enum Readiness: Hashable, Codable, Sendable {
        /// As soon as its program was executed.
        case whenStarted
        /// When it says so.
        case whenReported
    }

    /// What a worker's exit means.
    public enum Conduct: Hashable, Codable, Sendable {
        /// 0 is success, the rest is failure.
        case program
        /// A `sergeant` worker behind the launcher: the return code it reports means what it means there.
        case sergeant
    }

    /// Which ends of a worker are followed by another. A worker that is recycled has not done its work; one that an
    /// operator restarts is always started again.
    public enum RestartPolicy: String, Hashable, Codable, Sendable, CaseIterable {
        /// Every one.
        case always
        /// All but a success.
        case onFailure = "on-failure"
        /// None.
        case never

        func replaces(after reason: Reason) -> Bool {
            switch self {
            case .always: true
            case .onFailure: reason.weight != .success
            case .never: reason == .restart
            }
        }
    }

    /// What becomes of a worker of which the kernel kills a process for its memory.
    public enum OOMPolicy: String, Hashable, Codable, Sendable, CaseIterable {
        /// All its processes die at once (`memory.oom.group`).
        case kill
        /// The others live on; that of one which is not the main process is told, no more.
        case `continue`
    }

    /// How many failures within how long a time make the group itself a failure (Erlang's restart intensity).
    public struct Intensity: Hashable, Codable, Sendable {
        /// So many failures are still borne.
        public var maximumFailures: Int
        /// Within this time.
        public var window: Duration

        /// Takes each part as it is.
        public init(maximumFailures: Int, window: Duration) {
            self.maximumFailures = maximumFailures
            self.window = window
        }
    }

    /// The group's name.
    public var name: String
    /// How many workers there are to be.
    public var workers: Int
    /// What a worker's exit means.
    public var conduct: Conduct
    /// When a worker counts as ready.
    public var readiness: Readiness
    /// From the stop signal to `cgroup.kill`.
    public var stopTimeout: Duration
    /// From the start to readiness; nil waits for ever.
    public var startTimeout: Duration?
    /// Bytes that reclaim cannot take back at which a worker is recycled; nil for no such limit.
    public var memoryThreshold: UInt64?
    /// Bytes that the kernel enforces (`memory.max`); nil for no such limit.
    public var memoryMax: UInt64?
    /// The wait after a first failure; each further one doubles it.
    public var backOffInitial: Duration
    /// The longest wait after failures.
    public var backOffMaximum: Duration
    /// Nil never gives up.
    public var intensity: Intensity?
    /// How many workers must be ready for the group to count as ready; nil is all of them.
    public var minimumReady: Int?
    /// How long a ready worker may be silent (`WATCHDOG=1`); nil is for ever. It may ask for another time itself.
    public var watchdog: Duration?
    /// How many slots a rolling restart may have without a ready worker at a time; less than 1 is 1.
    public var maximumUnavailable: Int
    /// How long a worker lives at most before it is recycled, each up to a fifth shorter, so that a pool is never
    /// recycled all at once; nil is for ever.
    public var maximumLifetime: Duration?
    /// Which ends are followed by another worker.
    public var restart: RestartPolicy
    /// A worker that is renewed (its life is over, or a restart was asked for) works on until its successor is ready.
    public var surges: Bool
    /// Bytes that the kernel enforces over all workers together (`memory.max` of the group); nil for no such limit.
    public var groupMemoryMax: UInt64?
    /// How long a worker may be above ``memoryThreshold`` without a break before it is recycled.
    public var memorySustain: Duration
    /// What an OOM kill means.
    public var oomPolicy: OOMPolicy

    /// Takes each part as it is.
    public init(
        name: String, workers: Int, conduct: Conduct = .program, readiness: Readiness = .whenStarted,
        stopTimeout: Duration = .seconds(8), startTimeout: Duration? = nil, memoryThreshold: UInt64? = nil,
        memoryMax: UInt64? = nil, backOffInitial: Duration = .milliseconds(200),
        backOffMaximum: Duration = .seconds(30), intensity: Intensity? = nil, minimumReady: Int? = nil,
        watchdog: Duration? = nil, maximumUnavailable: Int = 1, maximumLifetime: Duration? = nil,
        restart: RestartPolicy = .always, surges: Bool = false, groupMemoryMax: UInt64? = nil,
        memorySustain: Duration = .zero, oomPolicy: OOMPolicy = .kill
    ) {
        self.name = name
        self.workers = workers
        self.conduct = conduct
        self.readiness = readiness
        self.stopTimeout = stopTimeout
        self.startTimeout = startTimeout
        self.memoryThreshold = memoryThreshold
        self.memoryMax = memoryMax
        self.backOffInitial = backOffInitial
        self.backOffMaximum = backOffMaximum
        self.intensity = intensity
        self.minimumReady = minimumReady
        self.watchdog = watchdog
        self.maximumUnavailable = maximumUnavailable
        self.maximumLifetime = maximumLifetime
        self.restart = restart
        self.surges = surges
        self.groupMemoryMax = groupMemoryMax
        self.memorySustain = memorySustain
        self.oomPolicy = oomPolicy
    }
}

/// What the errno of a removal says, as in rmdir(2).
enum RemovalFailure {
    /// EBUSY: something was left behind.
    static let busy: Int32 = 16
    /// EPERM, EACCES, EROFS: another try ends as this one did, unless somebody gives the right back.
    static let refused: Set<Int32> = [1, 13, 30]
}

/// The times and counts that are the same for every group.
public enum Tempo {
    /// A worker that was ready this long is healthy: its failures are forgotten.
    public static let healthyRun: Duration = .seconds(10)
    /// A worker that ends sooner than this without failing is paced.
    public static let quickFinish: Duration = .seconds(1)
    /// From one start of a paced slot to its next: ten a second.
    public static let pace: Duration = .milliseconds(100)
    /// Added to the grace of a worker found above `memory.high`: a throttling sleep already begun is not
    /// cut short when the limit is lifted, and lasts up to two seconds.
    public static let throttleAllowance: Duration = .seconds(2)
    /// After `cgroup.kill`, how long until it is written again.
    public static let killRetry: Duration = .seconds(2)
    /// So many kills or removals without effect, and the cgroup is said to be stuck.
    public static let stuckAttempts = 5
    /// Starts asked of the host and not yet answered, so that a stop is never behind a thousand starts.
    public static let startsInFlight = 32
    /// Incarnations of a slot that still drain, at which a further replacement waits for one to end.
    public static let drainingPerSlot = 2
    /// How long after a stop of all a worker's `EXTEND_TIMEOUT_USEC` may put off its kill, all told: well below
    /// the 90 s after which systemd kills a service. Before a stop it may do so without end, as with systemd.
    public static let shutdownExtension: Duration = .seconds(60)
    /// In a rolling restart, how long a worker that is ready when started must have run before the next is
    /// replaced: a program that cannot work mostly ends at once.
    public static let rollSettling: Duration = .seconds(1)
    /// From an OOM kill in a worker whose policy is to go on to the word that its main process was spared: one that was
    /// not has ended by then.
    public static let oomSettling: Duration = .seconds(1)
    /// The shared tick while a wire is slid: its first and its longest interval.
    public static let wireTickShortest: Duration = .seconds(1)
    /// The longest.
    public static let wireTickLongest: Duration = .seconds(60)
}
