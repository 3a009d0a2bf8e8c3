import CLinux
import Glibc

extension Cgroup {
    /// Whether a process is here or beneath, and whether it is frozen (`cgroup.events`). Throws `ENOENT` in the
    /// hierarchy's root.
    public borrowing func events() throws(CgroupError) -> CgroupEvents {
        try read("cgroup.events") { CgroupEvents.parse($0) }
    }

    /// The processes in this cgroup, not those beneath it (`cgroup.procs`).
    ///
    /// Processes of other PID namespaces are left out, for they have no number here; whether the cgroup is
    /// empty, `events()` tells.
    public borrowing func processes() throws(CgroupError) -> [Int32] {
        try KernelFile.readAll("cgroup.procs", beneath: descriptor, at: path) { Self.processes(in: $0) }
    }

    package static func processes(in bytes: Span<UInt8>) -> [Int32] {
        var processes: [Int32] = []
        var lines = KernelText.Lines()
        while let line = lines.next(in: bytes) {
            guard let number = KernelText.number(bytes, line), let process = Int32(exactly: number),
                process > 0
            else { continue }
            processes.append(process)
        }
        return processes
    }

    /// Moves a process, all its threads, into this cgroup. Memory that it has stays charged where it was.
    ///
    /// Throws `ESRCH` if there is no such process, `EBUSY` if this cgroup has given controllers to its
    /// children, `EACCES` if the common ancestor is not delegated, `EINVAL` unless `process` is above 0.
    public borrowing func move(process: Int32) throws(CgroupError) {
        // The kernel takes 0 for the writer itself, which is nobody's intention here.
        guard process > 0 else {
            throw CgroupError(
                operation: "write", path: "\(path)/cgroup.procs", value: String(process), errno: EINVAL)
        }
        try write(String(process), to: "cgroup.procs")
    }

    /// Kills all processes here and beneath, forks of theirs too (`cgroup.kill`, Linux 5.14).
    ///
    /// They are gone when `populated` is false, not when this returns.
    public borrowing func kill() throws(CgroupError) {
        try write("1", to: "cgroup.kill")
    }

    /// Freezes or thaws all processes here and beneath (`cgroup.freeze`). It has taken effect when `frozen`
    /// says so.
    public borrowing func setFrozen(_ frozen: Bool) throws(CgroupError) {
        try write(frozen ? "1" : "0", to: "cgroup.freeze")
    }

    /// Sends a signal to every process here and beneath.
    ///
    /// A process that forks meanwhile may leave a child that got none; `kill()` misses nobody. No process
    /// outside gets one, even if a number is reused: each is held by a pidfd, and must still be listed here
    /// after that was opened. Returns how many were signalled.
    @discardableResult
    public borrowing func signalAll(_ signal: Int32) throws(CgroupError) -> Int {
        var signalled = 0
        // Paths from here, not descriptors: a delegatee may nest as deep as it likes.
        var pending = ["."]
        while let place = pending.popLast() {
            let directory = Self.openDirectory(place, beneath: descriptor)
            if directory == -ENOENT || directory == -ENODEV { continue }
            guard directory >= 0 else {
                throw CgroupError(operation: "open", path: "\(path)/\(place)", errno: -directory)
            }
            let cgroup = Cgroup(path: place == "." ? path : "\(path)/\(place)", owning: directory)
            do throws(CgroupError) {
                signalled += try cgroup.signalOwn(signal)
                for child in try cgroup.children() {
                    pending.append(place == "." ? child : "\(place)/\(child)")
                }
            } catch {
                // Removed by its user meanwhile: nobody is in it.
                guard error.errno == ENODEV || error.errno == ENOENT, place != "." else { throw error }
            }
        }
        return signalled
    }

    private borrowing func signalOwn(_ signal: Int32) throws(CgroupError) -> Int {
        // Held at a time, so that a full cgroup does not use up our descriptors.
        let batch = 128
        var signalled = 0
        var rest = try processes()[...]
        while !rest.isEmpty {
            var held: [(process: Int32, pidfd: Int32)] = []
            defer { for one in held { close(one.pidfd) } }
            for process in rest.prefix(batch) {
                let pidfd = linux_pidfd_open(process, 0)
                // No such process: it has ended. EINVAL: the number now belongs to a thread.
                if pidfd == -ESRCH || pidfd == -EINVAL { continue }
                guard pidfd >= 0 else {
                    throw CgroupError(operation: "hold process \(process) of", path: path, errno: -pidfd)
                }
                held.append((process, pidfd))
            }
            rest = rest.dropFirst(batch)
            let still = Set(try processes())
            for one in held where still.contains(one.process) {
                let result = linux_pidfd_send_signal(one.pidfd, signal)
                if result == -ESRCH { continue }
                guard result >= 0 else {
                    throw CgroupError(
                        operation: "send signal \(signal) to process \(one.process) of", path: path,
                        errno: -result)
                }
                signalled += 1
            }
        }
        return signalled
    }

    /// Returns when no process is left here or beneath. For programs without a loop of their own; with one,
    /// watch `cgroup.events`.
    ///
    /// Throws `ETIMEDOUT` after `timeoutMicroseconds`.
    public borrowing func waitUntilEmpty(timeoutMicroseconds: UInt64) throws(CgroupError) {
        func failure(_ code: Int32) -> CgroupError {
            CgroupError(operation: "wait until empty:", path: path, errno: code)
        }
        let file = openat(descriptor, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw failure(KernelFile.reason(errno, beneath: descriptor)) }
        defer { close(file) }
        let start = Self.monotonicMicroseconds()
        while true {
            // The read comes first: it arms the notification for what changes after it.
            guard lseek(file, 0, SEEK_SET) == 0 else { throw failure(errno) }
            let events: CgroupEvents?
            do throws(KernelFile.Failure) {
                events = try KernelFile.contents(of: file, isOnePiece: true, expecting: 256) {
                    CgroupEvents.parse($0)
                }
            } catch {
                throw failure(error.errno)
            }
            guard let events else { throw failure(EBADMSG) }
            if !events.populated { return }
            let passed = Self.monotonicMicroseconds() - start
            guard passed < timeoutMicroseconds else { throw failure(ETIMEDOUT) }
            let milliseconds = (timeoutMicroseconds - passed + 999) / 1000
            var wait = pollfd(fd: file, events: Int16(POLLPRI), revents: 0)
            if poll(&wait, 1, Int32(clamping: milliseconds)) < 0, errno != EINTR { throw failure(errno) }
        }
    }

    private static func monotonicMicroseconds() -> UInt64 {
        var now = timespec()
        // Cannot fail: the clock exists and the address is ours.
        _ = clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
    }
}
