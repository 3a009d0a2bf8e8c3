internal import CLinux
internal import Glibc

/// The signals that ask the supervisor to stop, or to be upgraded, as a descriptor instead of as interruptions.
public enum Signals {
    /// SIGRTMIN+3: how podman, with `--systemd=always`, and systemd-nspawn ask a container's PID 1 to stop
    /// (systemd(1), SIGNALS).
    private static let halt: Int32 = 37

    /// SIGTERM, ``halt``, and of SIGINT, SIGQUIT, SIGHUP and SIGUSR2 (an upgrade in place) those that whoever started us did not have us ignore:
    /// nohup(1) and a shell's background jobs mean it.
    static var asked: sigset_t {
        var set = sigset_t()
        // These cannot fail with real signal numbers.
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, halt)
        let ignored = ignored()
        for signal in [SIGINT, SIGQUIT, SIGHUP, SIGUSR2] where ignored & (1 << UInt64(signal - 1)) == 0 {
            sigaddset(&set, signal)
        }
        if adoptsOrphans { sigaddset(&set, SIGCHLD) }
        return set
    }

    /// Holds back every request to stop until a supervisor asks for it: the first thing a program's `main`
    /// does. Also sets SIGCHLD to its default, for a parent that ignores it leaves children unreapable
    /// (waitid(2), ECHILD), and holds back SIGPIPE for ever.
    public static func hold() {
        var set = asked
        // None can fail with a valid set and a real signal number.
        sigaddset(&set, SIGPIPE)
        _ = pthread_sigmask(SIG_BLOCK, &set, nil)
        _ = signal(SIGCHLD, SIG_DFL)
    }

    /// Has SIGPIPE, which is held back, at its default too: systemd and Python start programs that ignore it, and it would have
    /// to be set back in every worker.
    public static func unignoreBrokenPipes() {
        // Cannot fail with a real signal number.
        _ = signal(SIGPIPE, SIG_DFL)
    }

    /// Has them end the process again, as they do where nothing was said: for a program that is no supervisor.
    public static func release() {
        var set = asked
        sigaddset(&set, SIGPIPE)
        // Cannot fail with a valid set.
        _ = pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// The signals this process ignores, as bits from signal 1: exec would hand them on, so a worker's are
    /// set back.
    static func ignored() -> UInt64 { linux_ignored_signals() }

    /// Orphans become our children, and zombies unless we reap them: as PID 1, or as a subreaper (prctl(2)).
    static var adoptsOrphans: Bool { linux_adopts_orphans() }

    /// Children of a process that ignores SIGCHLD cannot be waited for.
    static var childrenAreReapable: Bool {
        ignored() & (1 << UInt64(SIGCHLD - 1)) == 0
    }
}

/// A signalfd(2) for ``Signals/asked``.
final class SignalSource {
    private let signals: Descriptor
    private var maskBefore = sigset_t()

    /// Blocks them in this thread, for else they would still do what they do: see ``Signals/hold()``.
    init() throws(SupervisorError) {
        var set = Signals.asked
        let result = signalfd(-1, &set, LINUX_SFD_NONBLOCK | LINUX_SFD_CLOEXEC)
        signals = try Descriptor(result, operation: "make a signal descriptor", errno: errno)
        // Cannot fail with a valid set.
        _ = pthread_sigmask(SIG_BLOCK, &set, &maskBefore)
    }

    deinit {
        // One that came at the last moment was for the supervisor.
        while next() != nil {}
        _ = pthread_sigmask(SIG_SETMASK, &maskBefore, nil)
    }

    var descriptor: Int32 { signals.number }

    /// A signal that came, and who sent it.
    struct Arrival {
        let signal: Int32
        /// The kernel itself: a key on the terminal, or the terminal's end.
        let isFromKernel: Bool
        /// The sender's process ID, where it was a process of our PID namespace.
        let sender: Int32
    }

    /// The next signal that came; nil where none is left.
    func next() -> Arrival? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while true {
            let count = read(signals.number, &info, size)
            if count == size {
                let kernel: Int32 = 0x80  // SI_KERNEL, sigaction(2)
                return Arrival(
                    signal: Int32(info.ssi_signo), isFromKernel: info.ssi_code == kernel,
                    sender: Int32(bitPattern: info.ssi_pid))
            }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }
}
