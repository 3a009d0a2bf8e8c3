internal import CLinux
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

    let pid: Int32
    let pidfd: Descriptor
    /// What it says; non-blocking.
    let words: Descriptor
    private var said: [UInt8] = []
    private var isReaped = false

    /// - Throws: ``SupervisorError`` where the program cannot be run at all.
    init(_ program: UpgradeProgram, state: borrowing Descriptor) throws(SupervisorError) {
        var ends: [Int32] = [-1, -1]
        guard linux_pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else {
            throw SupervisorError(.system, "cannot make a pipe: errno \(errno)")
        }
        words = Descriptor(owning: ends[0])
        let writing = Descriptor(owning: ends[1])
        pid = try Self.start(program, state: state.number, output: writing.number)
        let result = linux_pidfd_open(pid, 0)
        if result < 0 {
            // Without it we could not tell when it ends.
            kill(pid, SIGKILL)
            while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        }
        pidfd = try Descriptor(max(result, -1), operation: "watch the new program", errno: -result)
    }

    deinit {
        guard !isReaped else { return }
        end()
        // SIGKILL is on its way; it is waited for so that it does not stay a zombie.
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }

    /// A session of its own, so that what it starts can be ended with it; /dev/null, our pipe, and the state as
    /// descriptor 3. What else we have is close-on-exec.
    private static func start(
        _ program: UpgradeProgram, state: Int32, output: Int32
    ) throws(SupervisorError) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        guard posix_spawn_file_actions_init(&actions) == 0 else {
            throw SupervisorError(.system, "cannot prepare the check of the new program: no memory")
        }
        defer { posix_spawn_file_actions_destroy(&actions) }
        guard posix_spawnattr_init(&attributes) == 0 else {
            throw SupervisorError(.system, "cannot prepare the check of the new program: no memory")
        }
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        let target: Int32 = 3
        // dup2 to the same number leaves close-on-exec as it is, so both go by way of numbers that are free.
        let spare = max(state, output, target) + 1
        var error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for step in [
            (output, spare), (state, spare + 1), (spare, 1), (spare, 2), (spare + 1, target),
        ] where error == 0 {
            error = posix_spawn_file_actions_adddup2(&actions, step.0, step.1)
        }
        for descriptor in [spare, spare + 1] where error == 0 {
            error = posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        if error == 0 { error = posix_spawnattr_setsigmask(&attributes, &none) }
        if error == 0 { error = posix_spawnattr_setsigdefault(&attributes, &all) }
        if error == 0 {
            error = posix_spawnattr_setflags(
                &attributes,
                Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | 0x80 /* POSIX_SPAWN_SETSID */))
        }
        guard error == 0 else {
            throw SupervisorError(.system, "cannot prepare the check of the new program: errno \(error)")
        }
        let words = [program.path, UpgradeArrival.option, "\(target)"] + program.arguments.dropFirst()
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for word in arguments { free(word) } }
        var pid: pid_t = 0
        error = posix_spawn(&pid, program.path, &actions, &attributes, &arguments, environ)
        guard error == 0 else {
            throw SupervisorError(
                .cannotRun, "cannot execute '\(program.path)': \(String(cString: strerror(error)))")
        }
        return pid
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
        let result = linux_waitid_pidfd(pidfd.number, WEXITED | WNOHANG, &code, &value, nil)
        if result == 0 || result == -EINTR { return nil }
        isReaped = true
        listen()
        // What it may have left behind.
        kill(-pid, SIGKILL)
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
        _ = linux_pidfd_send_signal(pidfd.number, SIGKILL)
    }
}
