package import Supervision

/// The one line that `systemctl status` shows of a pool, made of what occurred; it is true whenever it is asked for.
package struct ServiceStatus: Codable {
    private enum Stage: Codable {
        case starting, running, reloading
        case stopping(String?)
    }

    private var stage = Stage.starting
    private var recycled = 0
    private var killedForMemory = 0
    private var failed = 0
    /// How the last worker failed that did.
    private var lastFailure: String?
    private var givenUp: String?
    private var reloadFault: String?

    package init() {}

    package mutating func observe(_ occurrence: Occurrence, named names: Names) {
        switch occurrence {
        case .supervisorReady: stage = .running
        case .supervisorReloaded(let fault):
            stage = .running
            reloadFault = fault
        case .supervisorReloading: stage = .reloading
        case .supervisorStopping: stage = .stopping(givenUp)
        case .groupFailed: givenUp = Record(occurrence, names: names).message
        case .workerExited(_, _, let end): count(end, Record(occurrence, names: names).message)
        default: break
        }
    }

    private mutating func count(_ end: Occurrence.End, _ message: String) {
        switch end.reason {
        case .memoryLimit, .memoryPressure, .lifetime: recycled += 1
        case .oomKilled: killedForMemory += 1
        default:
            guard end.reason.weight == .failure else { return }
            failed += 1
        }
        if end.reason.weight == .failure { lastFailure = message }
    }

    /// - Parameters:
    ///   - ready: workers that are ready now.
    ///   - desired: workers that there are to be.
    package func text(ready: Int, desired: Int) -> String {
        var parts: [String]
        switch stage {
        case .starting: parts = ["starting: \(ready)/\(desired) workers ready"]
        case .running: parts = ["\(ready)/\(desired) workers ready"]
        case .reloading: parts = ["reloading: \(ready)/\(desired) workers ready"]
        case .stopping(let why): return Self.line(why.map { "stopping: \($0)" } ?? "stopping")
        }
        if recycled > 0 { parts.append("\(recycled) recycled") }
        if killedForMemory > 0 { parts.append("\(killedForMemory) OOM killed") }
        if failed > 0 { parts.append("\(failed) failed") }
        if let reloadFault { parts.append("reload failed: \(reloadFault)") }
        if ready < desired, let lastFailure { parts.append("last: \(lastFailure)") }
        return Self.line(parts.joined(separator: ", "))
    }

    /// One line of a length that fits on a screen: an exception's text may have many.
    package static func line(_ text: String) -> String {
        let plain = text.unicodeScalars.lazy.map { scalar -> Character in
            scalar.value < 32 || scalar.value == 127 ? " " : Character(scalar)
        }
        return String(plain.prefix(240))
    }
}
