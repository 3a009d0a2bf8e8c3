internal import Glibc
internal import Supervision

/// Replaces the program in place while it supervises: same process, same workers, same counters and timers.
///
/// The program on disk is first run as a child that only says whether it could go on (``UpgradeCheck``); the loop
/// does not wait for it. If it could not, or the kernel refuses it, this image goes on as if nothing had been asked.
package final class Upgrade: LoopPart {
    /// What comes of a request.
    package enum Answer: Hashable, Sendable {
        /// The new image takes over now. This one can still say so, and nothing after it.
        case replacing
        /// This image goes on; why, in a sentence.
        case refused(String)
    }

    /// How long the new program may take for its check.
    package static let patience: Duration = .seconds(10)

    private static let ended: UInt32 = 1
    private static let late: UInt32 = 1

    private let program: UpgradeProgram
    private var host: HostAccess?
    private var check: UpgradeCheck?
    private var isLate = false
    private var isApproved = false
    private var answers: [(Answer) -> Void] = []

    init(_ program: UpgradeProgram) {
        self.program = program
    }

    package func join(_ host: HostAccess) {
        self.host = host
    }

    package func leave() {
        check = nil
        if !answers.isEmpty { refuse("the supervisor has stopped") }
        host = nil
    }

    /// The child that checks, for whoever reaps children.
    var child: Int32? { check?.pid }

    // MARK: Steps

    /// Asks for it. One that is under way is joined.
    ///
    /// - Parameter answer: called once, on the supervisor's thread, perhaps before this returns.
    package func request(_ answer: @escaping (Answer) -> Void) {
        answers.append(answer)
        guard check == nil, !isApproved, let host else { return }
        do {
            let file = try UpgradeFile.write(host.upgradeState().bytes())
            let check = try UpgradeCheck(program, state: file)
            let error = host.listen(to: check.pidfd.number, .readable, key: Self.ended)
            guard error == 0 else {
                throw SupervisorError(.system, "cannot watch the new program: errno \(error)")
            }
            self.check = check
            isLate = false
            host.setTimer(Self.late, at: Instant.now() + Self.patience)
        } catch {
            refuse("\(error)")
        }
    }

    package func descriptorIsReady(_ key: UInt32) {
        takeEnd()
    }

    /// The child may have ended.
    func takeEnd() {
        guard let check, let outcome = check.outcome() else { return }
        host?.ignore(check.pidfd.number)
        host?.cancelTimer(Self.late)
        self.check = nil
        switch outcome {
        case .approved: isApproved = true
        case .refused where isLate:
            refuse(
                "\(program.path) did not say within \(Self.patience.components.seconds) s that it can go on")
        case .refused(let reason): refuse("\(program.path) cannot go on from here: \(reason)")
        }
    }

    package func timerIsDue(_ key: UInt32) {
        isLate = true
        check?.end()
    }

    package func endTurn() {
        // An event that waits is no part of the state: it is handled first.
        guard isApproved, let host, host.isQuiet else { return }
        isApproved = false
        do {
            try replace(host)
        } catch {
            refuse("\(error)")
        }
    }

    private func replace(_ host: HostAccess) throws {
        let answers = self.answers
        // Said now, so that what is said is part of what is handed over.
        self.answers = []
        for answer in answers { answer(.replacing) }
        host.flushObservers()
        let state = try host.upgradeState()
        let file = try UpgradeFile.write(state.bytes())
        let error = program.replaceUs(state: file, open: state.descriptors)
        throw SupervisorError(
            .system, "cannot execute '\(program.path)': \(String(cString: strerror(error))) (errno \(error))")
    }

    private func refuse(_ reason: String) {
        let answers = self.answers
        self.answers = []
        if !answers.isEmpty || host != nil {
            host?.tell(
                .hostTrouble(nil, sentence: "not upgraded, version \(Version.current) goes on: \(reason)"))
        }
        for answer in answers { answer(.refused(reason)) }
    }
}

extension HostAccess {
    /// Has the program replaced in place.
    ///
    /// - Parameter answer: called once, on the supervisor's thread, perhaps before this returns.
    package func upgrade(_ answer: @escaping (Upgrade.Answer) -> Void) {
        guard let upgrade = host.upgrade else {
            return answer(.refused("this supervisor is part of another program"))
        }
        upgrade.request(answer)
    }

    func upgradeState() throws -> UpgradeState { try host.upgradeState() }

    /// No event waits to be handled.
    var isQuiet: Bool { host.events.isEmpty && host.outcome == nil }

    func flushObservers() { host.flushObservers() }
}
