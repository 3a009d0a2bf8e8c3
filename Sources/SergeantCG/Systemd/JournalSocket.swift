internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import Supervision

/// Entries on their way to journald: never blocks, holds a bounded amount, drops and counts what is more.
///
/// A datagram an entry. One that is too large for a datagram goes as a sealed memory file. The one socket is
/// connected again where journald's was replaced.
package final class JournalSocket {
    /// Where journald listens.
    package static let path = "/run/systemd/journal/socket"
    /// What may wait for journald, in bytes. The one entry that goes beyond it is taken whole, as ``LineSink`` does.
    package static let capacity = 8 << 20
    /// What an entry that waits takes beside its bytes.
    private static let overhead = 64

    private let socket: Descriptor
    private let path: String
    /// The next to be sent, and its memory file where it had to be made one.
    private var next: [UInt8]?
    private var file: Descriptor?
    private var waiting = Queue<[UInt8]>()
    private var size = 0
    package private(set) var dropped: UInt64 = 0
    private var isConnected = false
    /// journald, or the kernel for it, takes no more now.
    private var isFull = false

    /// - Throws: ``SupervisorError`` where there is no journald to send to, or no descriptor is left.
    package init(path: String = JournalSocket.path) throws(SupervisorError) {
        let result = Glibc.socket(
            AF_UNIX, LINUX_SOCK_DGRAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        socket = try Descriptor(result, operation: "make a socket for the journal", errno: errno)
        self.path = path
        let error = UnixSocket.connect(socket.number, to: path)
        guard error == 0 else {
            throw SupervisorError(
                .system,
                "cannot log to the journal: \(path): \(String(cString: strerror(error))) (errno \(error)); "
                    + "--log-format text logs to standard error")
        }
        isConnected = true
    }

    package var isWaiting: Bool { size > 0 }

    package var hasRoom: Bool { !isFull && size < Self.capacity / 2 }

    /// The descriptor whose readiness for writing ends the waiting. Without journald it would be ready at once and
    /// for ever, so it is nil then: the next turn of the loop tries again.
    package var readiness: Int32? { isFull && isConnected ? socket.number : nil }

    package func append(_ entry: [UInt8]) {
        if size + entry.count > Self.capacity { flush() }
        guard size < Self.capacity else {
            dropped += 1
            return
        }
        size += entry.count + Self.overhead
        waiting.append(entry)
    }

    package func takeDropped() -> UInt64 {
        defer { dropped = 0 }
        return dropped
    }

    package func flush() {
        isFull = false
        var connections = 0
        while let entry = next ?? waiting.next() {
            next = entry
            if !isConnected {
                connections += 1
                guard connections <= 2, UnixSocket.connect(socket.number, to: path) == 0 else { return }
                isConnected = true
            }
            switch send(entry) {
            case 0: take(entry)
            case EINTR: continue
            case EAGAIN:
                isFull = true
                return
            // journald's socket is gone; there may be another.
            case ECONNREFUSED, ENOTCONN, ECONNRESET, EPIPE, ENOENT: isConnected = false
            default:
                dropped += 1
                take(entry)
            }
        }
    }

    /// Waits for journald at most so long, in milliseconds; for the very end.
    package func drain(milliseconds: Int32) {
        let end = Instant.now().nanoseconds + UInt64(milliseconds) * 1_000_000
        flush()
        while isWaiting, let readiness {
            let now = Instant.now().nanoseconds
            guard now < end else { return }
            var request = pollfd(fd: readiness, events: Int16(POLLOUT), revents: 0)
            guard poll(&request, 1, Int32((end - now) / 1_000_000 + 1)) > 0 || errno == EINTR else { return }
            flush()
        }
    }

    // MARK: Across an upgrade

    /// What waits, for another image of this program.
    package struct Memory: Codable {
        var entries: [Data]
        var dropped: UInt64
    }

    package var memory: Memory {
        Memory(
            entries: ([next].compactMap { $0 } + waiting.all).map { Data($0) }, dropped: dropped)
    }

    /// Goes on where another image stopped; for the beginning.
    package func recall(_ memory: Memory) {
        dropped += memory.dropped
        for entry in memory.entries { append(Array(entry)) }
    }

    // MARK: Sending

    private func take(_ entry: [UInt8]) {
        size -= entry.count + Self.overhead
        next = nil
        file = nil
    }

    /// - Returns: 0, or the errno.
    private func send(_ entry: [UInt8]) -> Int32 {
        if file == nil {
            let sent = Glibc.send(socket.number, entry, entry.count, LINUX_MSG_NOSIGNAL)
            guard sent < 0 else { return 0 }
            let error = errno
            guard error == EMSGSIZE || error == ENOBUFS else { return error }
            let made = linux_memfd_create("sergeantcg-journal")
            guard made >= 0 else { return -made }
            let memory = Descriptor(owning: made)
            let fault = Self.fill(memory.number, with: entry)
            guard fault == 0 else { return fault }
            file = consume memory
        }
        guard let descriptor = file?.number else { return EBADF }
        return -linux_send_descriptor(socket.number, nil, 0, descriptor, LINUX_MSG_NOSIGNAL)
    }

    /// Writes the file and seals it: journald maps it, so nobody may change it any more.
    private static func fill(_ file: Int32, with entry: [UInt8]) -> Int32 {
        entry.withUnsafeBytes { bytes in
            var start = 0
            while start < bytes.count {
                let written = write(file, bytes.baseAddress.map { $0 + start }, bytes.count - start)
                if written > 0 { start += written } else if errno != EINTR { return errno }
            }
            return -linux_seal(file)
        }
    }
}
