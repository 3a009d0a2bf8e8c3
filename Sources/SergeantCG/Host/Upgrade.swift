internal import Glibc
internal import Supervision

/// Replaces the program in place while it supervises: same process, same workers, same counters and timers.
///
/// The program on disk is first run as a child that only says whether it could go on (``UpgradeCheck``); the loop
/// does not wait for it. If it could not, or the kernel refuses it, this image goes on as if nothing had been asked, and
/// tells ``Occurrence/supervisorUpgradeRefused(reason:)``. Else the new image tells
/// ``Occurrence/supervisorUpgraded(from:)``.
package final class Upgrade: LoopPart {
    /// How long the new program may take for its check. It is in no hurry, and has the CPU that workers leave it.
    package static let patience: Duration = .seconds(30)

    private static let ended: UInt32 = 1
    private static let late: UInt32 = 1

    private let program: UpgradeProgram
    private var host: HostAccess?
    private var check: UpgradeCheck?
    private var isLate = false
    private var isApproved = false

    init(_ program: UpgradeProgram) {
        self.program = program
    }

    package func join(_ host: HostAccess) {
        self.host = host
    }

    package func leave() {
        if isUnderWay { refuse("the supervisor has stopped") }
        check = nil
        host = nil
    }

    /// The child that checks, for whoever reaps children.
    var child: Int32? { check?.pid }

    private var isUnderWay: Bool { check != nil || isApproved }

    /// Another program lies where this one was started from.
    var programIsReplaced: Bool { program.isReplaced }

    // MARK: Steps

    /// Asks for it. One that is under way is joined. What comes of it is told, perhaps before this returns.
    func request() {
        guard !isUnderWay, let host else { return }
        do {
            let file = try UpgradeFile.write(host.upgradeState().bytes())
            let check = try UpgradeCheck(program, state: file)
            let error = host.listen(to: check.pidfd, .readable, key: Self.ended)
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
        host?.ignore(check.pidfd)
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
        host.flushObservers()
        let state = try host.upgradeState()
        try OpenFileLimit.check(forNextImageWith: state.descriptors.count)
        let file = try UpgradeFile.write(state.bytes())
        let error = program.replaceUs(state: file, open: state.descriptors)
        throw SupervisorError(
            .system, "cannot execute '\(program.path)': \(String(cString: strerror(error))) (errno \(error))")
    }

    private func refuse(_ reason: String) {
        host?.tell(.supervisorUpgradeRefused(reason: reason))
    }
}

extension HostAccess {
    /// Replaces the program in place; nil where it is not ours to replace.
    var upgrade: Upgrade? { host.upgrade }

    func upgradeState() throws -> UpgradeState { try host.upgradeState() }

    /// No event waits to be handled.
    var isQuiet: Bool { host.events.isEmpty && host.outcome == nil }

    func flushObservers() { host.flushObservers() }
}
