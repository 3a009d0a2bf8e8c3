internal import CLinux
internal import FoundationEssentials
internal import Glibc

/// One client: its socket, the calls it sent and the replies it has not read yet. Nothing here waits.
final class ControlConnection {
    /// What an answer waits for.
    enum Task {
        case status(StatusQuestion)
        /// The groups that still roll.
        case roll(Set<Int>, fault: VarlinkError?)
        case reload
        case upgrade
        /// What occurs after this number; it goes on until the client goes.
        case watch(after: UInt64)
    }

    /// Replies that a client did not read, in bytes, beyond which it is not waited for.
    static let capacity = 256 << 10

    let descriptor: Descriptor
    private var input = MessageBuffer(capacity: VarlinkCall.capacity)
    private var output: [UInt8] = []
    private var sent = 0
    var task: Task?
    /// The call under way takes no reply.
    var isOneway = false
    /// The client has closed its side; it may still read.
    private(set) var hasEnded = false
    /// Nothing can be read or written any more, or the client broke the rules.
    private(set) var isBroken = false
    /// What the loop listens for.
    var interest = EventLoop.Interest.readable
    /// Grows with each use: who has the least was idle the longest.
    var lastUse: UInt64 = 0

    init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Replies wait for the client to read.
    var isWriting: Bool { sent < output.count }

    var hasMessage: Bool { input.hasMessage }

    /// Nothing is under way: it loses nothing that it was promised.
    var isIdle: Bool { task == nil && !isWriting && !input.hasMessage }

    /// It only watches: a client can ask again for what it misses.
    var isWatching: Bool { if case .watch = task { true } else { false } }

    /// It is done with: the client has closed its side, and all it asked was answered.
    var isFinished: Bool { hasEnded && isIdle }

    /// Reads a piece, without waiting. Descriptors that come with it are closed by the kernel, for there is no room
    /// given for them (recvmsg(2), SCM_RIGHTS).
    func receive() {
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { chunk in
            let count = recv(descriptor.number, chunk.baseAddress, chunk.count, LINUX_MSG_DONTWAIT)
            if count > 0 {
                input.append(chunk[..<count])
            } else if count == 0 {
                hasEnded = true
            } else if errno != EAGAIN, errno != EINTR {
                isBroken = true
            }
        }
        if input.isOverfull { isBroken = true }
    }

    func nextMessage() -> [UInt8]? { input.next() }

    func reply(_ bytes: [UInt8]) {
        guard !isOneway, !isBroken else { return }
        output.append(contentsOf: bytes)
    }

    /// What cannot be asked about any more: the connection is of no use.
    func fail() { isBroken = true }

    /// Writes what the client takes now.
    ///
    /// - Returns: false where it takes nothing.
    @discardableResult
    func send() -> Bool {
        let before = sent
        while sent < output.count, !isBroken {
            let count = output.withUnsafeBytes { bytes in
                Glibc.send(
                    descriptor.number, bytes.baseAddress?.advanced(by: sent), bytes.count - sent,
                    LINUX_MSG_DONTWAIT | LINUX_MSG_NOSIGNAL)
            }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN {
                return sent > before
            } else if errno != EINTR {
                isBroken = true
            }
        }
        output = []
        sent = 0
        return true
    }

    // MARK: Across an upgrade

    /// A connection as one image of the program hands it to the next: the client notices nothing.
    struct Memory: Codable {
        enum Task: Codable {
            /// It is asked anew.
            case status
            case roll(Set<Int>, fault: VarlinkError?)
            case reload, upgrade
            case watch(after: UInt64)
        }

        var descriptor: Int32
        var unread: Data
        var unsent: Data
        var task: Task?
        var isOneway: Bool
        var hasEnded: Bool
    }

    var memory: Memory {
        let task: Memory.Task? =
            switch task {
            case nil: nil
            case .status: .status
            case .roll(let groups, let fault): .roll(groups, fault: fault)
            case .reload: .reload
            case .upgrade: .upgrade
            case .watch(let number): .watch(after: number)
            }
        return Memory(
            descriptor: descriptor.number, unread: Data(input.unread), unsent: Data(output[sent...]),
            task: task, isOneway: isOneway, hasEnded: hasEnded)
    }

    /// Takes one up that another image handed over.
    ///
    /// - Parameter question: what is asked anew, where it waits for the status.
    init(_ memory: Memory, question: @autoclosure () -> StatusQuestion) {
        descriptor = Descriptor(owning: memory.descriptor)
        input.append(memory.unread)
        output = Array(memory.unsent)
        isOneway = memory.isOneway
        hasEnded = memory.hasEnded
        task =
            switch memory.task {
            case nil: nil
            case .status: .status(question())
            case .roll(let groups, let fault): .roll(groups, fault: fault)
            case .reload: .reload
            case .upgrade: .upgrade
            case .watch(let number): .watch(after: number)
            }
    }

    /// Both sides are closed. Only asked where nothing is read, and nothing written.
    var hasHungUp: Bool {
        var request = pollfd(fd: descriptor.number, events: 0, revents: 0)
        return poll(&request, 1, 0) == 1 && request.revents & Int16(POLLHUP | POLLERR) != 0
    }

    /// Replies that a client gets without asking again must not pile up.
    var isOverfull: Bool { output.count - sent > Self.capacity }
}
