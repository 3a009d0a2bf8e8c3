internal import CLinux
internal import FoundationEssentials
internal import Glibc

/// Lines on their way to a descriptor that may not take them: never blocks, holds a bounded amount, drops
/// and counts what is more.
///
/// `O_NONBLOCK` cannot be set on standard error: it belongs to the open file, which the workers and whoever
/// started us share. So a pipe or terminal is opened anew for ourselves, a socket is written with
/// `MSG_DONTWAIT`, and a pipe that may not be opened (it is another user's) is fed with splice(2), which can
/// be told not to wait.
package final class LineSink {
    private enum Way {
        /// Our own open file, non-blocking; closed in the end.
        case own(Int32)
        case socket(Int32)
        /// Ours to fill, and the descriptor to splice into.
        case splice(read: Int32, write: Int32, into: Int32)
        /// A terminal that cannot be opened anew: asked with poll(2) before each write.
        case polled(Int32)
        /// A file or device: does not wait for a reader.
        case file(Int32)
    }

    /// What may wait for a reader, in bytes. The one line that goes beyond it is taken whole: a worker's
    /// exception of a megabyte makes a line of three, and the lines after it are as welcome.
    package static let capacity = 8 << 20

    private let way: Way
    private var waiting: [UInt8] = []
    private var start = 0
    package private(set) var dropped: UInt64 = 0
    /// The last byte written ends no line.
    private var isMidLine = false
    /// Of a line that had to be dropped a part was written: its end goes before the next.
    private var owesLineEnd = false
    /// The last write failed for want of space.
    private var isRefused = false
    /// It cannot be written at all (EBADF and the like): lines are thrown away.
    private var isBroken = false

    package init(descriptor: Int32) {
        way = Self.way(to: descriptor)
    }

    deinit {
        switch way {
        case .own(let own): close(own)
        case .splice(let read, let write, _):
            close(read)
            close(write)
        case .socket, .polled, .file: break
        }
    }

    /// What waits, and what is to be known of it, for another image of this program.
    package struct Memory: Codable {
        var waiting: Data
        var dropped: UInt64
        var isMidLine: Bool
        var owesLineEnd: Bool
    }

    package var memory: Memory {
        // What lies in the pipe of a splice counts as waiting until it has left it.
        Memory(
            waiting: Data(waiting[start...]), dropped: dropped, isMidLine: isMidLine, owesLineEnd: owesLineEnd
        )
    }

    /// Goes on where another image stopped; for the beginning.
    package func recall(_ memory: Memory) {
        waiting = Array(memory.waiting) + waiting[start...]
        start = 0
        dropped += memory.dropped
        isMidLine = memory.isMidLine
        owesLineEnd = memory.owesLineEnd
    }

    /// Lines wait, so the event loop is to say when ``readiness`` can be written.
    package var isWaiting: Bool { start < waiting.count && !isBroken }

    package var hasRoom: Bool { !isRefused && waiting.count - start < Self.capacity / 2 }

    /// The descriptor whose readiness for writing ends the waiting; nil where epoll cannot tell.
    package var readiness: Int32? {
        switch way {
        case .own(let own): own
        case .socket(let socket): socket
        case .splice(_, _, let target): target
        case .polled(let terminal): terminal
        case .file: nil
        }
    }

    package func append(_ line: [UInt8]) {
        guard !isBroken else { return }
        // A thousand workers that are told to stop at once fill it in one turn of the loop, whoever reads.
        if waiting.count - start + line.count > Self.capacity { flush() }
        guard waiting.count - start < Self.capacity else {
            dropped += 1
            return
        }
        if owesLineEnd { waiting.append(Self.lineEnd) }
        owesLineEnd = false
        waiting.append(contentsOf: line)
    }

    package func takeDropped() -> UInt64 {
        defer { dropped = 0 }
        return dropped
    }

    package func flush() {
        while start < waiting.count, !isBroken {
            let written = waiting.withUnsafeBytes { buffer in
                write(UnsafeRawBufferPointer(rebasing: buffer[start...]))
            }
            if written > 0 {
                start += written
                isMidLine = waiting[start - 1] != Self.lineEnd
                isRefused = false
            } else {
                switch Int32(-written) {
                case EINTR: continue
                case EAGAIN, ENOBUFS: return compact()
                // A full disk may be emptied again: this line is lost, the next is tried.
                case ENOSPC, EDQUOT, EIO:
                    isRefused = true
                    dropOneLine()
                    return compact()
                // A named pipe may get another reader. Until then nothing waits: epoll would not end to tell of it.
                case EPIPE:
                    isRefused = true
                    dropAll()
                default:
                    isBroken = true
                }
            }
        }
        waiting.removeAll(keepingCapacity: waiting.capacity <= 16 << 10)
        start = 0
    }

    /// Waits for a reader at most so long, in milliseconds; for the very end.
    package func drain(milliseconds: Int32) {
        flush()
        guard isWaiting, let readiness else { return }
        var clock = timespec()
        _ = clock_gettime(CLOCK_MONOTONIC, &clock)
        let end = clock.tv_sec * 1000 + clock.tv_nsec / 1_000_000 + Int(milliseconds)
        while isWaiting {
            _ = clock_gettime(CLOCK_MONOTONIC, &clock)
            let left = end - (clock.tv_sec * 1000 + clock.tv_nsec / 1_000_000)
            guard left > 0 else { return }
            var request = pollfd(fd: readiness, events: Int16(POLLOUT), revents: 0)
            guard poll(&request, 1, Int32(left)) > 0 || errno == EINTR else { return }
            flush()
        }
    }

    // MARK: Writing

    /// The bytes written, or -errno.
    private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch way {
        case .file(let descriptor):
            return Self.result(Glibc.write(descriptor, bytes.baseAddress, bytes.count))
        case .own(let descriptor):
            return Self.result(Glibc.write(descriptor, bytes.baseAddress, Self.atOnce(bytes)))
        case .socket(let socket):
            return Self.result(
                send(socket, bytes.baseAddress, Self.atOnce(bytes), LINUX_MSG_DONTWAIT | LINUX_MSG_NOSIGNAL))
        case .polled(let terminal):
            var request = pollfd(fd: terminal, events: Int16(POLLOUT), revents: 0)
            guard poll(&request, 1, 0) == 1 else { return -Int(EAGAIN) }
            return Self.result(Glibc.write(terminal, bytes.baseAddress, min(bytes.count, 512)))
        case .splice(let read, let write, let target):
            // What an earlier call could not pass on lies in the pipe and goes first.
            var inPipe: Int32 = 0
            _ = ioctl(read, UInt(FIONREAD), &inPipe)
            if inPipe == 0 {
                let filled = Self.result(Glibc.write(write, bytes.baseAddress, Self.atOnce(bytes)))
                guard filled > 0 else { return filled }
                inPipe = Int32(filled)
            }
            return linux_splice(read, target, Int(inPipe))
        }
    }

    private func dropOneLine() {
        // In the midst of a line, the end that the last dropped one left stands first.
        let first = isMidLine && waiting[start] == Self.lineEnd ? start + 1 : start
        let end = waiting[first...].firstIndex(of: Self.lineEnd) ?? waiting.count - 1
        owesLineEnd = isMidLine && end + 1 == waiting.count
        start = isMidLine && !owesLineEnd ? end : end + 1
        dropped += 1
    }

    private func dropAll() {
        dropped += UInt64(waiting[start...].count { $0 == Self.lineEnd })
        owesLineEnd = isMidLine
        start = waiting.count
        guard case .splice(let read, _, _) = way else { return }
        // The start of what was dropped.
        var rest = [UInt8](repeating: 0, count: Int(PIPE_BUF))
        while Glibc.read(read, &rest, rest.count) > 0 {}
    }

    private func compact() {
        guard start > Self.capacity / 2 else { return }
        waiting.removeFirst(start)
        start = 0
    }

    private static let lineEnd = UInt8(ascii: "\n")

    /// How much is written in one call: whole lines, and no more than a pipe takes in one piece (PIPE_BUF, pipe(7)),
    /// so that what the workers write there too does not come between.
    private static func atOnce(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count > Int(PIPE_BUF) else { return bytes.count }
        return bytes[..<Int(PIPE_BUF)].lastIndex(of: lineEnd).map { $0 + 1 } ?? Int(PIPE_BUF)
    }

    private static func result(_ written: Int) -> Int {
        written < 0 ? -Int(errno) : written
    }

    private static func way(to descriptor: Int32) -> Way {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .file(descriptor) }
        switch status.st_mode & S_IFMT {
        case S_IFSOCK:
            return .socket(descriptor)
        case S_IFIFO:
            if let own = reopened(descriptor) { return .own(own) }
            var ends: [Int32] = [-1, -1]
            guard linux_pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { return .polled(descriptor) }
            return .splice(read: ends[0], write: ends[1], into: descriptor)
        case S_IFCHR where isatty(descriptor) == 1:
            return reopened(descriptor).map { .own($0) } ?? .polled(descriptor)
        default:
            return .file(descriptor)
        }
    }

    private static func reopened(_ descriptor: Int32) -> Int32? {
        let own = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return own >= 0 ? own : nil
    }
}
