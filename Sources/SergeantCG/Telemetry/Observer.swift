public import Supervision

/// Someone who is told what occurs, and only watches.
public protocol Observer: AnyObject {
    /// Called on the supervisor's thread, in order. It must not block: the workers wait for it.
    func observe(_ occurrence: Occurrence, named names: Names)

    /// Whether it tells what a worker took in all, ``Exit/memoryPeak`` and ``Exit/cpuMicroseconds``. They cost system calls at
    /// every end, so they are nil where no observer tells them. It does unless it says otherwise.
    var tellsUsage: Bool { get }

    /// Whether it keeps account: ``Occurrence/workerAccounted(_:_:)`` costs a dozen files read at every end, so it is told
    /// only where an observer wants it. It does not unless it says so.
    var keepsAccount: Bool { get }
}

extension Observer {
    /// It does.
    public var tellsUsage: Bool { true }
    /// It does not.
    public var keepsAccount: Bool { false }
}

/// An observer that holds back what its reader does not take: the event loop tells it when to try again.
package protocol BufferedObserver: Observer {
    /// The descriptor whose readiness for writing ends the waiting; nil while nothing waits.
    var awaitedDescriptor: Int32? { get }

    /// Writes what it can without waiting. Called at the end of every turn of the loop.
    func flush()
}

/// How groups, workers and their cgroups are called: what turns numbers into words.
public struct Names: Sendable {
    /// The words for one group.
    public struct Group: Sendable {
        /// The group's name.
        public var name: String
        /// `module.Class` of a `sergeant` worker, in its two parts.
        public var workerModule: String?
        /// The class of a `sergeant` worker.
        public var workerClass: String?

        /// Takes each name as it is.
        public init(name: String, workerModule: String? = nil, workerClass: String? = nil) {
            self.name = name
            self.workerModule = workerModule
            self.workerClass = workerClass
        }
    }

    /// In the order of their numbers.
    public var groups: [Group]
    /// The directory of the supervisor's subtree, within the hierarchy (`/…`); empty until it is known.
    public var root: String

    /// Takes each name as it is.
    public init(groups: [Group], root: String) {
        self.groups = groups
        self.root = root
    }

    /// The subtree's own path; the root of a container's hierarchy is `/`.
    public var rootPath: String { root.isEmpty ? "/" : root }

    /// The name of the group with this number.
    public func group(_ index: Int) -> String {
        groups.indices.contains(index) ? groups[index].name : "\(index)"
    }

    /// `crawl_worker-1`.
    public func worker(_ slot: SlotID) -> String {
        "\(group(slot.group))-\(slot.slot)"
    }

    /// `3.7`: the directory of one incarnation within its group's.
    public func directory(_ id: IncarnationID) -> String {
        "\(id.slot.slot).\(id.number)"
    }

    /// The path of an incarnation's cgroup within the hierarchy.
    public func cgroup(_ id: IncarnationID) -> String {
        "\(root)/\(group(id.group))/\(directory(id))"
    }
}
