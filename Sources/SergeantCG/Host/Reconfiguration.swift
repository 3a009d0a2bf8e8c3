internal import FoundationEssentials
internal import Supervision

/// What the groups are run by now, and how that becomes something else while the workers live.
///
/// All that could fail is done first: what is refused changes nothing.
final class Reconfiguration: LoopPart, Remembering {
    private let preparation: GroupPreparation
    private var running: Configuration
    /// The groups that the configuration has no more, by their places. They keep their numbers, without workers.
    private var removed: Set<Int> = []
    private var host: HostAccess?

    init(_ running: Configuration, preparation: GroupPreparation) {
        self.running = running
        self.preparation = preparation
    }

    func join(_ host: HostAccess) throws(SupervisorError) {
        self.host = host
    }

    func leave() {
        host = nil
    }

    // MARK: Changes

    /// Puts into effect what differs.
    ///
    /// - Returns: the groups whose workers are replaced by it, one after the other; each tells
    ///   `Occurrence.rollEnded`.
    func change(to wanted: Configuration) throws(SupervisorError) -> Set<Int> {
        guard let host else { return [] }
        if let fault = wanted.fault { throw SupervisorError(.configuration, fault) }
        let difference = ConfigurationDifference(from: running, to: wanted)
        var prepared = try preparation.prepare(difference.groups, of: wanted)[...]
        for refusal in difference.refusals { host.tell(.hostNotice(sentence: refusal)) }
        var rolling: Set<Int> = []
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
                if rolls, kept > 0 { rolling.insert(index) }
            case .add(let configuration):
                let index = running.groups.count
                running.groups.append(configuration)
                if let group = prepared.popFirst() { host.replace(group, at: index, configuration.names) }
                host.post(.configure(group: index, configuration.policy, rolls: false))
            }
        }
        let names = Set(wanted.groups.map(\.name))
        removed = Set(running.groups.indices.filter { !names.contains(running.groups[$0].name) })
        return rolling
    }

    /// The place of the group of this name; nil where there is none, or none any more.
    func place(of name: String) -> Int? {
        running.groups.indices.first { running.groups[$0].name == name && !removed.contains($0) }
    }

    /// Has a group have so many workers, until the configuration is read again; 0 leaves it waiting.
    ///
    /// - Returns: how many there were to be before.
    func scale(_ index: Int, to workers: Int) throws(SupervisorError) -> Int {
        let before = running.groups[index].workers
        var groups = running.groups
        groups[index].workers = workers
        if workers > before { try preparation.checkOpenFiles(for: groups) }
        running.groups = groups
        host?.post(.configure(group: index, groups[index].policy, rolls: false))
        return before
    }

    // MARK: Across an upgrade

    let memoryName = "configuration"

    private struct Memory: Codable {
        /// As they are to be: one that was removed has no workers.
        var groups: [GroupConfiguration]
        var removed: Set<Int>
    }

    func remember() throws -> UpgradeMemory {
        UpgradeMemory(try JSONEncoder().encode(Memory(groups: running.groups, removed: removed)))
    }

    func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        running.groups = memory.groups
        removed = memory.removed
    }
}
