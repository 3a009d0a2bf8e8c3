import CLinux
import Glibc
import SergeantCG
import Testing

/// A datagram socket where journald's would be.
final class TestJournal {
    let path: String
    private var socket: Int32 = -1

    init() throws {
        path = "/tmp/sergeantcg-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try listen()
    }

    deinit {
        stop()
    }

    func listen() throws {
        socket = Glibc.socket(AF_UNIX, LINUX_SOCK_DGRAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
    }

    func stop() {
        guard socket >= 0 else { return }
        close(socket)
        unlink(path)
        socket = -1
    }

    /// An entry as it came: in the datagram, or in a sealed memory file.
    struct Received {
        var bytes: [UInt8]
        var seals: Int32?
    }

    func next() throws -> Received? {
        var data = [UInt8](repeating: 0, count: 1 << 20)
        var control = [UInt8](repeating: 0, count: linux_cmsg_space(4))
        var file: Int32?
        let count = data.withUnsafeMutableBytes { data in
            control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: data.baseAddress, iov_len: data.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    let count = recvmsg(socket, &message, LINUX_MSG_CMSG_CLOEXEC)
                    if count >= 0, let header = linux_cmsg_first(&message) {
                        file = linux_cmsg_data(header).withMemoryRebound(to: Int32.self, capacity: 1) {
                            $0.pointee
                        }
                    }
                    return count
                }
            }
        }
        guard count >= 0 else { return nil }
        guard let file else { return Received(bytes: Array(data[..<count])) }
        defer { close(file) }
        try #require(count == 0)
        var contents: [UInt8] = []
        while true {
            let got = pread(file, &data, data.count, contents.count)
            guard got > 0 else { break }
            contents += data[..<got]
        }
        // F_GET_SEALS
        return Received(bytes: contents, seals: fcntl(file, 1034))
    }
}

@Suite struct JournalSockets {
    private func entry(_ number: Int, length: Int = 500) -> [UInt8] {
        var entry = JournalEntry()
        entry.add("MESSAGE", "\(number)")
        entry.add("PADDING", String(repeating: "x", count: length))
        return entry.bytes
    }

    private func number(_ entry: [UInt8]) throws -> Int? {
        Int(try #require(try JournalEntries.fields(entry).first).value)
    }

    /// journald stands still: nothing blocks, what is kept is bounded, and each entry is either kept or counted.
    @Test func journaldIsStopped() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        #expect(socket.readiness == nil)
        let total = 2 * JournalSocket.capacity / 500
        for number in 0..<total {
            socket.append(entry(number))
            if number % 100 == 0 { socket.flush() }
        }
        socket.flush()
        let dropped = Int(socket.dropped)
        #expect(dropped > 0 && dropped < total)
        let readiness = try #require(socket.readiness)
        var request = pollfd(fd: readiness, events: Int16(POLLOUT), revents: 0)
        #expect(poll(&request, 1, 0) == 0, "it is not ready before journald reads")
        var numbers: [Int] = []
        while let received = try journal.next() {
            numbers.append(try #require(try number(received.bytes)))
            socket.flush()
        }
        #expect(!socket.isWaiting && socket.readiness == nil && socket.hasRoom)
        #expect(numbers.count + dropped == total)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        #expect(socket.takeDropped() == UInt64(dropped) && socket.dropped == 0)
    }

    /// epoll ends the waiting: the socket is ready again once journald has read.
    @Test func journaldGoesOn() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        var sent = 0
        while socket.readiness == nil {
            socket.append(entry(sent))
            sent += 1
            socket.flush()
        }
        let readiness = try #require(socket.readiness)
        while try journal.next() != nil {}
        var request = pollfd(fd: readiness, events: Int16(POLLOUT), revents: 0)
        #expect(poll(&request, 1, 5000) == 1)
        socket.flush()
        #expect(try number(try #require(try journal.next()).bytes) == sent - 1)
    }

    @Test func anEntryTooLargeForADatagram() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        let large = entry(0, length: 5 << 20)
        socket.append(large)
        socket.append(entry(1))
        socket.flush()
        let first = try #require(try journal.next())
        #expect(first.bytes == large)
        #expect(first.seals == 0b1111, "journald takes only what nobody can change any more")
        let second = try #require(try journal.next())
        #expect(second.seals == nil && second.bytes == entry(1))
        #expect(!socket.isWaiting && socket.dropped == 0)
    }

    /// More than may wait, in one entry, is taken whole all the same.
    @Test func aVeryLargeEntry() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        let large = entry(0, length: 2 * JournalSocket.capacity)
        socket.append(large)
        socket.flush()
        #expect(try journal.next()?.bytes == large)
    }

    @Test func journaldIsReplaced() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        socket.append(entry(0))
        socket.flush()
        journal.stop()
        for number in 1...3 { socket.append(entry(number)) }
        socket.flush()
        #expect(socket.isWaiting && socket.readiness == nil, "there is nobody to wait for")
        try journal.listen()
        socket.flush()
        for number in 1...3 { #expect(try journal.next()?.bytes == entry(number)) }
        #expect(!socket.isWaiting && socket.dropped == 0)
    }

    /// It waits in epoll for a journald that is gone: that wakes it.
    @Test func journaldDiesWhileStopped() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        var sent = 0
        while socket.readiness == nil {
            socket.append(entry(sent))
            sent += 1
            socket.flush()
        }
        journal.stop()
        var request = pollfd(fd: try #require(socket.readiness), events: Int16(POLLOUT), revents: 0)
        #expect(poll(&request, 1, 5000) == 1)
        try journal.listen()
        socket.flush()
        #expect(try number(try #require(try journal.next()).bytes) == sent - 1)
    }

    @Test func thereIsNoJournald() throws {
        let error = #expect(throws: SupervisorError.self) {
            _ = try JournalSocket(path: "/tmp/sergeantcg-no-such-socket")
        }
        #expect(error?.description.contains("/tmp/sergeantcg-no-such-socket: No such file") == true)
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(throws: SupervisorError.self) { _ = try JournalSocket(path: long) }
    }

    @Test func theLastWordsWaitForJournaldOnlyAMoment() throws {
        let journal = try TestJournal()
        let socket = try JournalSocket(path: journal.path)
        for number in 0..<5000 { socket.append(entry(number)) }
        let took = ContinuousClock().measure { socket.drain(milliseconds: 50) }
        #expect(took >= .milliseconds(50) && took < .seconds(5))
        #expect(socket.isWaiting)
    }

    @Test func whatIsLostIsSaid() throws {
        let journal = try TestJournal()
        let log = JournalObserver(
            socket: try JournalSocket(path: journal.path), identifier: "sergeantcg-x", least: .info)
        let names = Names(groups: [.init(name: "g")], root: "/r")
        let sentence = String(repeating: "x", count: 1000)
        let total = 3 * JournalSocket.capacity / 1000
        for _ in 0..<total { log.observe(.hostNotice(sentence: sentence), named: names) }
        log.observe(.workerReady(IncarnationID(group: 0, slot: 1, number: 1), pid: 1), named: names)
        log.flush()
        var notices = 0
        var lost = 0
        while let received = try journal.next() {
            let fields = Dictionary(
                try JournalEntries.fields(received.bytes).map { ($0.name, $0.value) },
                uniquingKeysWith: { $1 })
            #expect(fields["SYSLOG_IDENTIFIER"] == "sergeantcg-x" && fields["SYSLOG_PID"] == "\(getpid())")
            #expect(fields["SYSLOG_FACILITY"] == "3")
            switch fields["SERGEANT_EVENT"] {
            case "supervisor_notice": notices += 1
            case "log_dropped": lost += Int(fields["LINES"] ?? "") ?? 0
            default: Issue.record("\(fields)")
            }
            log.flush()
        }
        #expect(lost > 0)
        // The debug record is left out.
        #expect(notices + lost == total)
    }

    @Test func journalStream() throws {
        let pipe = try TestPipe()
        var status = stat()
        try #require(fstat(pipe.writing, &status) == 0)
        #expect(JournalStream.isNamed("\(status.st_dev):\(status.st_ino)", pipe.writing))
        for other in [
            "", ":", "\(status.st_dev)", "\(status.st_dev):\(status.st_ino + 1)",
            "\(status.st_dev + 1):\(status.st_ino)", "\(status.st_dev):\(status.st_ino) ", "x:y",
        ] {
            #expect(!JournalStream.isNamed(other, pipe.writing), "\(other)")
        }
        #expect(!JournalStream.isNamed("\(status.st_dev):\(status.st_ino)", -1))
    }
}
