internal import SergeantCG
internal import Synchronization

/// Workers that the supervisor was asked to replace. It answers when that is done, and is not waited for.
final class RecycleRequests: Sendable {
    private let last = Mutex<String?>(nil)

    var message: String? { last.withLock { $0 } }

    func recycle(_ worker: String, _ options: ControlOptions) {
        tell("\(worker) is being recycled")
        let (path, name) = (options.control, options.name)
        Task.detached { [self] in
            do throws(SupervisorError) {
                _ = try ControlClient.reach(path: path, name: name).call(
                    "Restart", ["target": .text(worker)], isQuick: false)
                tell("\(worker) was recycled")
            } catch {
                tell("\(worker) was not recycled: \(error)")
            }
        }
    }

    /// What came of it has been seen.
    func forget() {
        last.withLock { $0 = nil }
    }

    private func tell(_ message: String) {
        last.withLock { $0 = message }
    }
}
