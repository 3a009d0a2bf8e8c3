internal import CLinux
internal import CgroupKit
internal import Glibc

/// The new program, run as a child that only says whether it understands the state and the command line.
final class UpgradeCheck {
    /// What came of it.
    enum Outcome: Hashable {
        case approved
        /// Why not, as the end of a sentence.
        case refused(String)
    }

    /// The most that is read of what it says.
    private static let mostWords = 4096

    private let process: PlacedProcess
    /// What it says; non-blocking.
    let words: Descriptor
    private let path: String
    private var said: [UInt8] = []
    private var isReaped = false

    var pid: Int32 { process.pid }
    /// Readable when it has ended.
    var pidfd: Int32 { process.pidfd }

    /// - Throws: ``SupervisorError`` where the program cannot be run at all, which may show at its end only.
    init(_ program: UpgradeProgram, state: borrowing Descriptor) throws(SupervisorError) {
        path = program.path
        var ends: [Int32] = [-1, -1]
        guard linux_pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else {
            throw SupervisorError(.system, "cannot make a pipe: errno \(errno)")
        }
        words = Descriptor(owning: ends[0])
        let writing = Descriptor(owning: ends[1])
        process = try Self.start(program, state: state.number, output: writing.number)
    }

    deinit {
        guard !isReaped else { return }
        end()
        // SIGKILL is on its way; it is waited for, so that it is no zombie and no longer in our cgroup. By its pidfd: before its
        // exec it has no exit signal, and waitpid(2) does not see it.
        var (code, value): (Int32, Int32) = (0, 0)
        while linux_waitid_pidfd(pidfd, WEXITED, &code, &value, nil) == -EINTR {}
    }

    /// In our own cgroup, and a session of its own, so that what it starts can be ended with it; with /dev/null, our
    /// pipe, and the state as descriptor 3. By a plain clone: on a machine in need its exec could be long in coming, and
    /// the loop does not wait for it.
    private static func start(
        _ program: UpgradeProgram, state: Int32, output: Int32
    ) throws(SupervisorError) -> PlacedProcess {
        let null = try Descriptor(
            open("/dev/null", O_RDONLY | O_CLOEXEC), operation: "open /dev/null", errno: errno)
        let target: Int32 = 3
        var specification = ProcessSpecification(
            executable: program.path,
            arguments: [program.path, UpgradeArrival.option, "\(target)"] + program.arguments.dropFirst(),
            environment: WorkerEnvironment.ours)
        specification.descriptors = [(null.number, 0), (output, 1), (output, 2), (state, target)].map {
            ProcessSpecification.Descriptor(source: $0, target: $1)
        }
        specification.resetSignals = ProcessSpecification.ignoredSignals()
        specification.mode = .copiesMemory
        let cgroup: Cgroup
        do throws(CgroupError) { cgroup = try Cgroup.open(OwnPlace.directory()) } catch {
            throw SupervisorError(.system, error.description)
        }
        do throws(SpawnError) { return try cgroup.spawn(PreparedProcess(specification)) } catch {
            throw SupervisorError(.cannotRun, error.description)
        }
    }

    /// Takes what it said meanwhile; what is more than a person would read is thrown away.
    func listen() {
        var buffer = [UInt8](repeating: 0, count: Self.mostWords)
        while true {
            let count = read(words.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            said += buffer[..<min(count, Self.mostWords - said.count)]
        }
    }

    /// What came of it, once it has ended; nil before.
    func outcome() -> Outcome? {
        var code: Int32 = 0
        var value: Int32 = 0
        let result = linux_waitid_pidfd(pidfd, WEXITED | WNOHANG, &code, &value, nil)
        if result == 0 || result == -EINTR { return nil }
        isReaped = true
        listen()
        // What it may have left behind.
        kill(-pid, SIGKILL)
        if let pipe = process.statusPipe, case .failed(let stage, let error)? = try? StartStatus.read(pipe) {
            return .refused("\(SpawnError(stage: stage, errno: error, executable: path, cgroup: ""))")
        }
        let text = String(decoding: said, as: UTF8.self)
        let lines = text.split(separator: "\n").map(String.init)
        if result == 1, code == Int32(CLD_EXITED), value == 0, lines.last == UpgradeArrival.approval {
            return .approved
        }
        var sentence =
            if result < 0 {
                "how it ended is not known (errno \(-result))"
            } else if code == Int32(CLD_EXITED) {
                "it exited with \(value)"
            } else {
                "signal \(value) ended it"
            }
        if value == 0, result == 1 { sentence += " and did not say \(UpgradeArrival.approval)" }
        if let first = lines.first { sentence += ": \(first.prefix(400))" }
        return .refused(sentence)
    }

    /// Ends it and all that it started. Its ``outcome()`` is to be asked for still.
    func end() {
        kill(-pid, SIGKILL)
        // Before it is a session's leader there is no such group.
        _ = linux_pidfd_send_signal(pidfd, SIGKILL)
    }
}
