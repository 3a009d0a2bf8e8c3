internal import CLinux
internal import Glibc

/// A thin epoll: what became ready, by the token it was registered with.
struct EventLoop: ~Copyable {
    struct Interest: OptionSet {
        let rawValue: UInt32
        static let readable = Interest(rawValue: LINUX_EPOLLIN)
        static let writable = Interest(rawValue: LINUX_EPOLLOUT)
        /// Of a pressure trigger: the limit was passed.
        static let pressure = Interest(rawValue: LINUX_EPOLLPRI)
        /// Of a pidfd. Told once and not again until something changes: the end of a process that is traced shows
        /// at once, but it cannot be reaped before its tracer lets go (ptrace(2)).
        static let ended = Interest(rawValue: LINUX_EPOLLIN | LINUX_EPOLLET)
    }

    private let epoll: Descriptor
    private let capacity = 128

    init() throws(SupervisorError) {
        let result = epoll_create1(LINUX_EPOLL_CLOEXEC)
        epoll = try Descriptor(result, operation: "make an epoll", errno: errno)
    }

    /// - Returns: 0, or the errno.
    borrowing func add(_ descriptor: Int32, _ interest: Interest, token: UInt64) -> Int32 {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = token
        return epoll_ctl(epoll.number, Int32(EPOLL_CTL_ADD), descriptor, &event) == 0 ? 0 : errno
    }

    /// - Returns: 0, or the errno.
    borrowing func change(_ descriptor: Int32, _ interest: Interest, token: UInt64) -> Int32 {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = token
        return epoll_ctl(epoll.number, Int32(EPOLL_CTL_MOD), descriptor, &event) == 0 ? 0 : errno
    }

    /// Forgets a descriptor that stays open. One that is closed is forgotten by itself.
    borrowing func remove(_ descriptor: Int32) {
        // ENOENT: it was not registered; nothing is to be forgotten then.
        _ = epoll_ctl(epoll.number, Int32(EPOLL_CTL_DEL), descriptor, nil)
    }

    /// Waits until something is ready and hands over each token.
    ///
    /// - Parameter forever: false looks without waiting.
    borrowing func wait(forever: Bool, _ body: (UInt64) -> Void) throws(SupervisorError) {
        var failure: Int32 = 0
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { events in
            let count = epoll_wait(epoll.number, events.baseAddress, Int32(capacity), forever ? -1 : 0)
            guard count >= 0 else {
                failure = errno
                return
            }
            for index in 0..<Int(count) { body(events[index].data.u64) }
        }
        guard failure == 0 || failure == EINTR else {
            throw SupervisorError(.system, "cannot wait for events: epoll_wait failed with errno \(failure)")
        }
    }
}
