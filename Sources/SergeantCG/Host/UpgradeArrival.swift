internal import Glibc

/// How the program came to run, where it was not simply started: in the midst of a live upgrade.
public struct UpgradeArrival: Sendable {
    /// What is to be done with the state.
    public enum Task: Hashable, Sendable {
        /// We are the supervisor, in the same process as the image before: go on.
        case goOn
        /// We are a child of it: only say whether we could.
        case check
    }

    /// `PID:DESCRIPTOR`, for the process that is to go on.
    static let variable = "SERGEANTCG_STATE"
    /// The first of two arguments, before those of a usual start: the descriptor follows.
    static let option = "--check-state"
    /// What a check says where it went well.
    static let approval = "OK"

    /// What is to be done.
    public let task: Task
    let state: UpgradeState

    /// Looks whether there is a state. For the beginning of `main`, before anything is opened: the descriptors that
    /// come with it are ours from now on, and close-on-exec.
    ///
    /// - Parameter arguments: of the program, without its name; what is meant for us alone is taken out.
    /// - Throws: ``SupervisorError`` where the state is not understood.
    public static func find(_ arguments: inout [String]) throws(SupervisorError) -> UpgradeArrival? {
        if arguments.count >= 2, arguments[0] == option, let descriptor = Int32(arguments[1]) {
            arguments.removeFirst(2)
            return UpgradeArrival(task: .check, state: try UpgradeState(bytes: UpgradeFile.read(descriptor)))
        }
        guard let value = getenv(variable) else { return nil }
        let numbers = String(cString: value).split(separator: ":").compactMap { Int32($0) }
        // Whoever inherits it is another process.
        unsetenv(variable)
        guard numbers.count == 2, numbers[0] == getpid() else { return nil }
        defer { close(numbers[1]) }
        let state = try UpgradeState(bytes: UpgradeFile.read(numbers[1]))
        for descriptor in state.descriptors { setCloseOnExec(descriptor, true) }
        OpenFileLimit.recall(state.openFileLimit)
        OOMScore.recall(state.oomScoreAdjustment)
        return UpgradeArrival(task: .goOn, state: state)
    }

    /// Why this image does not understand a state, in a sentence; nil where it does.
    package static func fault(inState bytes: [UInt8]) -> String? {
        do throws(SupervisorError) {
            _ = try UpgradeState(bytes: bytes)
            return nil
        } catch {
            return error.description
        }
    }

    /// Says that a check went well.
    public func approve() {
        let line = Array("\(Self.approval)\n".utf8)
        // Nobody listens any more: then nobody waits for it.
        _ = write(STDOUT_FILENO, line, line.count)
    }
}
