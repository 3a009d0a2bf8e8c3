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
    private let reconfiguration: Reconfiguration
    private var host: HostAccess?
    private var course: Course?

    init(
        of reconfiguration: Reconfiguration,
        read: @escaping () throws(SupervisorError) -> Configuration
    ) {
        self.reconfiguration = reconfiguration
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
        guard course?.stage == .reading else { return }
        course?.stage = .rolling
        do throws(SupervisorError) {
            course?.rolling = try reconfiguration.change(to: try read())
        } catch {
            course?.faults.append(error.description)
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
    }

    func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(Memory(course: course)))
    }

    func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        course = memory.course
    }
}
