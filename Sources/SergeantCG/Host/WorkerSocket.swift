internal import CLinux
internal import Glibc

/// The socket on which one incarnation's processes say how it stands (sd_notify(3)). One each, so a message needs no
/// guess at whose it is, even where its sender has ended since.
struct WorkerSocket: ~Copyable {
    /// A datagram, and who sent it.
    struct Arrival {
        var notification: WorkerNotification
        /// In our PID namespace; 0 where it has no number there.
        var sender: Int32
        var descriptors: Int
        var isTruncated: Bool
    }

    let descriptor: Descriptor
    /// What the worker's `NOTIFY_SOCKET` says.
    let path: String

    /// - Parameter user: who alone may write to it; nil is this supervisor's own user.
    /// - Throws: ``SupervisorError`` with operation, path and errno.
    init(path: String, of user: WorkerUser? = nil) throws(SupervisorError) {
        let result = socket(AF_UNIX, LINUX_SOCK_DGRAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        let made = try Descriptor(result, operation: "make a notify socket", errno: errno)
        try Self.bind(made.number, to: path)
        if let user, chown(path, user.user, user.group) != 0 {
            let error = errno
            unlink(path)
            throw Self.fault("give user \(user.words)", path, error)
        }
        descriptor = made
        self.path = path
    }

    private static func bind(_ socket: Int32, to path: String) throws(SupervisorError) {
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &one, size) == 0 else {
            throw fault("ask for the senders of", path, errno)
        }
        // Before it has a name, so that nobody else ever may: the file gets the mode that the socket has (Linux).
        guard fchmod(socket, 0o600) == 0 else { throw fault("restrict", path, errno) }
        // One of the same name was left by a supervisor that is gone.
        unlink(path)
        let error = UnixSocket.bind(socket, to: path)
        guard error == 0 else { throw fault("bind", path, error) }
    }

    /// Goes on with a socket that an image before us bound.
    init(adopting number: Int32, path: String) {
        descriptor = Descriptor(owning: number)
        self.path = path
    }

    private static func fault(_ operation: String, _ path: String, _ error: Int32) -> SupervisorError {
        SupervisorError(
            .system,
            "cannot \(operation) the notify socket \(path): \(String(cString: strerror(error))) (errno \(error))",
            errno: error)
    }

    deinit {
        unlink(path)
    }

    /// The next datagram, with every descriptor that came with it closed again: that is the answer to `BARRIER=1`, and
    /// nothing else is to send one. Nil where none is left.
    borrowing func next() -> Arrival? {
        withUnsafeTemporaryAllocation(
            byteCount: WorkerNotification.mostBytes + 1, alignment: 1
        ) { buffer in
            var sender: pid_t = 0
            var extras = linux_notification_extras()
            let count = linux_receive_notification(
                descriptor.number, buffer.baseAddress, buffer.count, &sender, &extras)
            guard count >= 0 else { return nil }
            return Arrival(
                notification: WorkerNotification(UnsafeRawBufferPointer(rebasing: buffer[..<count])),
                sender: sender, descriptors: Int(extras.descriptor_count),
                isTruncated: extras.is_truncated || extras.lost_descriptors)
        }
    }
}
