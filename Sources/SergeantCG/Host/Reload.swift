internal import FoundationEssentials
internal import Supervision

/// Reads the configuration again while the workers run, and puts into effect what differs. Where a new version of the
/// program lies in its place, that one takes over first, and is who reads.
///
/// All that could fail is done first: a bad file changes nothing.
final class Reload: LoopPart, Observer, Remembering {
    /// One that is under way.
    private struct Course: Codable {
        enum Stage: String, Codable {
            /// The new program has been asked to take over.
            case upgrading
            /// The configuration is to be read, as soon as the loop turns.
            case reading
            /// Groups roll.
            case rolling
        }

        var stage: Stage
        /// The groups whose roll it waits for.
        var rolling: Set<Int> = []
        /// What went wrong.
        var faults: [String] = []
        /// It was asked for again meanwhile.
        var isAskedAgain = false
    }

    private static let readingTimer: UInt32 = 0

    private let read: () throws(SupervisorError) -> Configuration
    private let preparation: GroupPreparation
    private var running: Configuration
    private var host: HostAccess?
    private var course: Course?

    init(
        _ running: Configuration, preparation: GroupPreparation,
        read: @escaping () throws(SupervisorError) -> Configuration
    ) {
        self.running = running
        self.preparation = preparation
        self.read = read
    }

    func join(_ host: HostAccess) throws(SupervisorError) {
        self.host = host
        if course?.stage == .reading { readSoon() }
    }

    func leave() {
        host = nil
    }

    func takesHangup() -> Bool {
        begin()
        return true
    }

    /// What comes of it is told: ``Occurrence/supervisorReloaded(fault:)``.
    func begin() {
        guard let host else { return }
        guard course == nil else {
            course?.isAskedAgain = true
            return
        }
        host.tell(.supervisorReloading)
        course = Course(stage: .upgrading)
        guard let upgrade = host.upgrade, upgrade.programIsReplaced else { return readSoon() }
        upgrade.request()
    }

    /// Whoever calls may be in the midst of an occurrence, or at the end of a turn.
    private func readSoon() {
        course?.stage = .reading
        host?.setTimer(Self.readingTimer, at: .now())
    }

    func timerIsDue(_ key: UInt32) {
        guard course?.stage == .reading, let host else { return }
        course?.stage = .rolling
        do throws(SupervisorError) {
            try apply(try read(), host)
        } catch {
            course?.faults.append(error.description)
        }
    }

    private func apply(_ wanted: Configuration, _ host: HostAccess) throws(SupervisorError) {
        if let fault = wanted.fault { throw SupervisorError(.configuration, fault) }
        let difference = ConfigurationDifference(from: running, to: wanted)
        var prepared = try preparation.prepare(difference.groups, of: wanted)[...]
        for refusal in difference.refusals { host.tell(.hostNotice(sentence: refusal)) }
        for change in difference.changes {
            switch change {
            case .drain(let index):
                running.groups[index].workers = 0
                host.post(.configure(group: index, running.groups[index].policy, rolls: false))
            case .configure(let index, let configuration, let rolls):
                let kept = min(running.groups[index].workers, configuration.workers)
                running.groups[index] = configuration
                if let group = prepared.popFirst() { host.replace(group, at: index, configuration.names) }
                host.post(.configure(group: index, configuration.policy, rolls: rolls))
                if rolls, kept > 0 { course?.rolling.insert(index) }
            case .add(let configuration):
                let index = running.groups.count
                running.groups.append(configuration)
                if let group = prepared.popFirst() { host.replace(group, at: index, configuration.names) }
                host.post(.configure(group: index, configuration.policy, rolls: false))
            }
        }
    }

    // MARK: The end

    var tellsUsage: Bool { false }

    func observe(_ occurrence: Occurrence, named names: Names) {
        guard let course else { return }
        switch occurrence {
        case .supervisorUpgraded where course.stage == .upgrading: readSoon()
        case .supervisorUpgradeRefused(let reason) where course.stage == .upgrading:
            self.course?.faults.append("the new program did not take over: \(reason)")
            readSoon()
        case .rollEnded(let group, let end) where course.rolling.contains(group):
            self.course?.rolling.remove(group)
            if end != .completed { self.course?.faults.append(Record(occurrence, names: names).message) }
        case .supervisorStopping: self.course = Course(stage: .rolling, faults: ["the supervisor stops"])
        default: break
        }
    }

    func endTurn() {
        guard let course, course.stage == .rolling, course.rolling.isEmpty else { return }
        self.course = nil
        // Whoever asked meanwhile waits for the last of them.
        if course.isAskedAgain { return begin() }
        let fault = course.faults.isEmpty ? nil : course.faults.joined(separator: "; ")
        host?.tell(.supervisorReloaded(fault: fault))
    }

    // MARK: Across an upgrade

    let memoryName = "reload"

    private struct Memory: Codable {
        var course: Course?
        /// As they are to be: one that was taken away has no workers.
        var groups: [GroupConfiguration]
    }

    func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(Memory(course: course, groups: running.groups)))
    }

    func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        course = memory.course
        running.groups = memory.groups
    }
}
