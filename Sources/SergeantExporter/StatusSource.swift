internal import NIOPosix
internal import SergeantCG

/// Asks the supervisor how it stands. Those who ask at the same time, or shortly after one another, get one answer: many
/// who look are no more work for the supervisor than one.
actor StatusSource {
    /// What was answered, read and as it came; or why nothing was.
    typealias Answer = Result<(report: StatusReport, text: String), SupervisorError>

    /// For so long an answer is as good as new.
    private static let freshness: Duration = .milliseconds(500)

    private let path: String?
    private let name: String?
    /// A supervisor is waited for on a thread.
    private let threads = NIOThreadPool(numberOfThreads: 1)
    private var last: (answer: Answer, at: ContinuousClock.Instant)?
    private var underWay: Task<Answer, Never>?

    /// Of the supervisor that listens at `path`, or has this name, or is the only one.
    init(path: String?, name: String?) {
        self.path = path
        self.name = name
        threads.start()
    }

    func status() async -> Answer {
        if let last, ContinuousClock.now - last.at < Self.freshness { return last.answer }
        if let underWay { return await underWay.value }
        let question = Task { [threads, path, name] in
            let answer = try? await threads.runIfActive { () -> Answer in
                Result { () throws(SupervisorError) in
                    try ControlClient.reach(path: path, name: name).status()
                }
            }
            // The pool is never shut down.
            return answer ?? .failure(SupervisorError(.system, "the exporter ends"))
        }
        underWay = question
        let answer = await question.value
        underWay = nil
        last = (answer, .now)
        return answer
    }
}
