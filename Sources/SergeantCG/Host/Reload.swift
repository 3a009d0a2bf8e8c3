internal import Supervision

/// Reads the configuration again while the workers run, and puts into effect what differs.
///
/// All that could fail is done first: a bad file changes nothing.
final class Reload: LoopPart, Observer {
    private let read: () throws(SupervisorError) -> Configuration
    private let preparation: GroupPreparation
    private var running: Configuration
    private var host: HostAccess?
    /// The groups whose roll the reload waits for; nil while none is under way.
    private var rolling: Set<Int>?
    private var fault: String?
    /// It was asked for again while one was under way.
    private var isAskedAgain = false
    private var ends: [(String?) -> Void] = []

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
    }

    func leave() {
        host = nil
    }

    func takesHangup() -> Bool {
        begin { _ in }
        return true
    }

    /// - Parameter end: told when all is in effect, with nil or with what went wrong.
    func begin(_ end: @escaping (String?) -> Void) {
        guard let host else { return end("the supervisor has stopped") }
        ends.append(end)
        guard rolling == nil else {
            isAskedAgain = true
            return
        }
        host.tell(.supervisorReloading)
        fault = nil
        rolling = []
        do throws(SupervisorError) {
            try apply(try read(), host)
        } catch {
            fault = error.description
        }
        endIfDone()
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
                if rolls, kept > 0 { rolling?.insert(index) }
            case .add(let configuration):
                let index = running.groups.count
                running.groups.append(configuration)
                if let group = prepared.popFirst() { host.replace(group, at: index, configuration.names) }
                host.post(.configure(group: index, configuration.policy, rolls: false))
            }
        }
    }

    // MARK: The end

    func observe(_ occurrence: Occurrence, named names: Names) {
        switch occurrence {
        case .rollEnded(let group, let end) where rolling?.contains(group) == true:
            rolling?.remove(group)
            if end != .completed { fault = fault ?? Record(occurrence, names: names).message }
        case .supervisorStopping where rolling != nil:
            rolling = []
            isAskedAgain = false
            fault = fault ?? "the supervisor stops"
        default: break
        }
    }

    func endTurn() {
        endIfDone()
    }

    private func endIfDone() {
        guard let rolling, rolling.isEmpty else { return }
        self.rolling = nil
        if isAskedAgain {
            isAskedAgain = false
            let waiting = ends
            ends = []
            begin { fault in for end in waiting { end(fault) } }
            return
        }
        host?.tell(.supervisorReloaded(fault: fault))
        let waiting = ends
        ends = []
        for end in waiting { end(fault) }
    }
}
