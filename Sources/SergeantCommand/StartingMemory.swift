internal import CLinux
internal import SergeantCG
internal import Supervision

/// Gives back what the start took and nobody holds any more, when all workers are ready: a supervisor is idle for days then.
final class StartingMemory: Observer {
    var tellsUsage: Bool { false }

    func observe(_ occurrence: Occurrence, named names: Names) {
        guard case .supervisorReady = occurrence else { return }
        // Says only whether there was something (malloc_trim(3)).
        _ = malloc_trim(0)
    }
}
