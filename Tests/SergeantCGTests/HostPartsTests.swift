import CLinux
import Glibc
import SergeantCG
import Testing

@Suite struct Timers {
    /// Random moves, cancellations and expiries, against a dictionary searched for its least deadline.
    @Test func asANaiveModel() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<40 {
            var timers = try TimerQueue<TimerID>()
            var model: [TimerID: Instant] = [:]
            var now = Instant(nanoseconds: 1000)
            for _ in 0..<2000 {
                let slot = SlotID(group: 0, slot: Int.random(in: 1...20, using: &random))
                let id: TimerID =
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: .slot(slot)
                    case 1:
                        .incarnation(IncarnationID(slot: slot, number: Int.random(in: 1...2, using: &random)))
                    default: .wires
                    }
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let deadline = Instant(
                        nanoseconds: now.nanoseconds + UInt64.random(in: 0...100, using: &random))
                    timers.set(id, at: deadline)
                    model[id] = deadline
                case 5..<7:
                    timers.cancel(id)
                    model[id] = nil
                default:
                    now = Instant(nanoseconds: now.nanoseconds + UInt64.random(in: 0...40, using: &random))
                    var last = Instant(nanoseconds: 0)
                    while let due = timers.next(due: now) {
                        let deadline = try #require(model[due], "\(due) was not set")
                        model[due] = nil
                        #expect(deadline <= now)
                        #expect(deadline >= last, "out of order")
                        last = deadline
                    }
                    #expect(!model.values.contains { $0 <= now }, "one that is due was not given")
                }
            }
        }
    }

    /// The kernel is told of the nearest deadline: the descriptor is readable when it has come, not before, and
    /// not when it was cancelled.
    @Test func theDescriptorTells() throws {
        var timers = try TimerQueue<TimerID>()
        func readable(milliseconds: Int32) -> Bool {
            var request = pollfd(fd: timers.descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&request, 1, milliseconds) == 1
        }
        let start = Instant.now()
        timers.set(.wires, at: start + .milliseconds(30))
        timers.set(.slot(SlotID(group: 0, slot: 1)), at: start + .seconds(100))
        try timers.arm()
        #expect(readable(milliseconds: 10_000))
        #expect(Instant.now() >= start + .milliseconds(30))
        timers.acknowledge()
        #expect(timers.next(due: Instant.now()) == .wires)
        try timers.arm()
        #expect(!readable(milliseconds: 0))
        timers.set(.wires, at: start)
        try timers.arm()
        #expect(readable(milliseconds: 10_000), "a deadline that is past")
        timers.cancel(.wires)
        timers.acknowledge()
        try timers.arm()
        #expect(!readable(milliseconds: 0), "it was cancelled")
        // The same instant again, after it has come: a timer that has fired is not set any more.
        timers.set(.wires, at: start)
        try timers.arm()
        #expect(readable(milliseconds: 10_000))
        timers.acknowledge()
        #expect(timers.next(due: Instant.now()) == .wires)
        timers.set(.wires, at: start)
        try timers.arm()
        #expect(readable(milliseconds: 10_000), "the same deadline a second time")
        timers.cancel(.wires)
        timers.cancel(.slot(SlotID(group: 0, slot: 1)))
        try timers.arm()
        #expect(timers.next(due: Instant(nanoseconds: .max)) == nil)
    }
}

@Suite struct Queues {
    @Test func firstInFirstOut() {
        var random = SystemRandomNumberGenerator()
        var queue = Queue<Int>()
        var model: [Int] = []
        for number in 0..<20_000 {
            if Bool.random(using: &random) {
                queue.append(number)
                model.append(number)
            } else {
                #expect(queue.next() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.isEmpty == model.isEmpty)
        }
    }
}

/// A report channel and the worker's end of it.
private final class TestChannel {
    private var channel: ReportChannel
    private(set) var worker: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0, &ends) == 0)
        channel = ReportChannel(Descriptor(owning: ends[0]))
        worker = ends[1]
    }

    deinit { hangUp() }

    var isReady: Bool { channel.isReady }
    var isClosed: Bool { channel.isClosed }
    var fault: String? { channel.fault }
    var report: WorkerReport? { channel.report }

    func drain() { channel.drain() }

    func send(_ bytes: some Collection<UInt8>) throws {
        let bytes = Array(bytes)
        try #require(write(worker, bytes, bytes.count) == bytes.count)
    }

    func hangUp() {
        if worker >= 0 { close(worker) }
        worker = -1
    }
}

@Suite struct Reports {
    private static let conversation =
        [
            #"{"event":"loaded"}"#, #"{"event":"ready"}"#,
            #"{"event":"finished","return_code":1,"exception":"E('ä\n\ud83d\ude80')","stacktrace":"a\nb","#
                + #""unkillable_threads":["t"],"new":{"x":[1,2]}}"#,
        ].joined(separator: "\n") + "\n"

    /// However the bytes are cut, the messages are the same.
    @Test func anySplit() throws {
        var random = SystemRandomNumberGenerator()
        let bytes = Array(Self.conversation.utf8)
        for _ in 0..<500 {
            let channel = try TestChannel()
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + Int.random(in: 1...40, using: &random))
                try channel.send(bytes[start..<end])
                start = end
                channel.drain()
            }
            #expect(channel.isReady)
            #expect(channel.fault == nil)
            #expect(
                channel.report
                    == WorkerReport(
                        returnCode: 1, exception: "E('ä\n🚀')", stacktrace: "a\nb", unkillableThreads: ["t"]))
            #expect(!channel.isClosed)
            channel.hangUp()
            channel.drain()
            #expect(channel.isClosed)
        }
    }

    /// Whatever a worker sends, the supervisor does not fall over it. What is no message is a fault.
    @Test func anyGarbage() throws {
        var random = SystemRandomNumberGenerator()
        let valid = Array(Self.conversation.utf8)
        for _ in 0..<3000 {
            let channel = try TestChannel()
            var bytes = valid
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.insert(UInt8.random(in: 0 ... .max, using: &random), at: place)
                case 1:
                    bytes.removeSubrange(
                        place..<min(bytes.count, place + Int.random(in: 0...9, using: &random)))
                case 2: bytes.insert(contentsOf: valid.shuffled(using: &random).prefix(20), at: place)
                default:
                    if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
                }
            }
            try channel.send(bytes)
            channel.drain()
            channel.hangUp()
            channel.drain()
            #expect(channel.isClosed || channel.fault != nil)
        }
    }

    @Test(arguments: [
        "\n", "null\n", "[]\n", "{}\n", "{\"event\":1}\n", #"{"event":"dance"}"# + "\n",
        #"{"event":"finished","return_code":99999999999}"# + "\n",
        #"{"event":"finished","return_code":"1"}"# + "\n",
        "{\"event\":\"ready\"\n", "\u{0}\n",
    ])
    func noMessage(text: String) throws {
        let channel = try TestChannel()
        try channel.send(text.utf8)
        channel.drain()
        #expect(channel.fault != nil)
        #expect(channel.report == nil && !channel.isReady)
        channel.hangUp()
    }

    /// A reader of JSON that recurses must not run out of stack.
    @Test func deepNesting() throws {
        let channel = try TestChannel()
        try channel.send((String(repeating: "[", count: 100_000) + "\n").utf8)
        channel.drain()
        #expect(channel.fault != nil)
    }

    /// Half a message at the end is none.
    @Test func halfAMessage() throws {
        let channel = try TestChannel()
        try channel.send(#"{"event":"ready"}"#.utf8)
        channel.hangUp()
        channel.drain()
        #expect(!channel.isReady && channel.isClosed)
    }

    /// An exception of a megabyte is taken whole; what never ends, is not taken for ever.
    @Test func largeMessages() throws {
        let channel = try TestChannel()
        _ = fcntl(channel.worker, F_SETFL, O_NONBLOCK)
        let exception = String(repeating: "x", count: 1 << 20)
        func pour(_ bytes: [UInt8]) {
            var start = 0
            while start < bytes.count, !channel.isClosed, channel.fault == nil {
                let count = bytes.withUnsafeBytes {
                    write(channel.worker, $0.baseAddress?.advanced(by: start), bytes.count - start)
                }
                if count > 0 { start += count }
                channel.drain()
            }
        }
        pour(Array("{\"event\":\"finished\",\"return_code\":6,\"exception\":\"\(exception)\"}\n".utf8))
        #expect(channel.report?.exception == exception)
        #expect(channel.fault == nil)
        let block = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<(ReportChannel.capacity >> 20) { pour(block) }
        #expect(channel.fault?.contains("more than") == true)
        channel.hangUp()
    }
}

@Suite struct Programs {
    @Test func areFoundAsAShellFindsThem() throws {
        let directory = "/tmp/sergeantcg-test-\(getpid())-search"
        for path in [directory, "\(directory)/a", "\(directory)/b", "\(directory)/b/folder"] {
            try #require(mkdir(path, 0o755) == 0)
        }
        defer {
            for path in ["a/tool", "b/tool", "b/plain"] { unlink("\(directory)/\(path)") }
            for path in ["/b/folder", "/a", "/b", ""] { rmdir(directory + path) }
        }
        for (path, mode) in [("a/tool", 0o644), ("b/tool", 0o755), ("b/plain", 0o644)] as [(String, mode_t)] {
            let file = open("\(directory)/\(path)", O_CREAT | O_WRONLY | O_CLOEXEC, mode)
            try #require(file >= 0)
            close(file)
        }
        let path = "\(directory)/nowhere:\(directory)/a:\(directory)/b"
        // The first that can be run, though another stands before it.
        #expect(ProgramSearch.find("tool", path: path) == .found("\(directory)/b/tool"))
        func refusal(_ name: String, path: String?) -> String {
            if case .failed(let sentence) = ProgramSearch.find(name, path: path) { sentence } else { "" }
        }
        #expect(refusal("plain", path: path).contains("'\(directory)/b/plain': Permission denied"))
        #expect(refusal("folder", path: path).contains("no program 'folder' on the PATH"))
        #expect(refusal("none", path: path).contains("no program 'none' on the PATH"))
        #expect(refusal("\(directory)/b", path: path).contains("a directory"))
        #expect(refusal("\(directory)/none", path: path).contains("No such file"))
        #expect(
            ProgramSearch.find("sh", path: nil) == .found("/usr/bin/sh")
                || ProgramSearch.find("sh", path: nil) == .found("/bin/sh"))
    }
}
