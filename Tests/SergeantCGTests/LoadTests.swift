import CLinux
import Glibc
import SergeantCG
import Testing

/// What a thousand workers, or one that writes without end, make of the host's parts.
@Suite struct Load {
    /// A queue that is never empty keeps nothing of what was taken.
    @Test func aBusyQueueDoesNotGrow() {
        final class Element {
            let release: () -> Void
            init(_ release: @escaping () -> Void) { self.release = release }
            deinit { release() }
        }
        var living = 0
        var most = 0
        var queue = Queue<Element>()
        for _ in 0..<100_000 {
            living += 1
            queue.append(Element { living -= 1 })
            if living > 1 { _ = queue.next() }
            most = max(most, living)
        }
        #expect(most < 1000)
        #expect(!queue.isEmpty)
    }

    /// One turn of the loop may make more lines than the sink holds: a file loses none.
    @Test func manyLinesAtOnce() throws {
        let file = linux_memfd_create("log")
        try #require(file >= 0)
        defer { close(file) }
        let sink = LineSink(descriptor: file)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 399) + [UInt8(ascii: "\n")]
        let count = 2 * LineSink.capacity / line.count
        for _ in 0..<count { sink.append(line) }
        sink.flush()
        #expect(sink.dropped == 0)
        #expect(lseek(file, 0, SEEK_END) == count * line.count)
    }

    /// Others write to the pipe too: what goes into it in one piece is whole lines.
    @Test func whatAPipeTakesIsWholeLines() throws {
        let pipe = try TestPipe(capacity: 4096)
        let sink = LineSink(descriptor: pipe.writing)
        for number in 0..<200 {
            sink.append(Array("a line of its own length, \(number * number * number)\n".utf8))
        }
        var pieces = 0
        while sink.isWaiting {
            sink.flush()
            let piece = pipe.readAvailable()
            try #require(!piece.isEmpty)
            #expect(piece.last == UInt8(ascii: "\n"))
            pieces += 1
        }
        #expect(pieces > 1)
    }

    /// One worker's flood of messages costs everybody else the time to look at a few.
    @Test(arguments: [#"{"event":"ready"}"#, ""])
    func aFloodOfMessagesIsAFault(message: String) throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0, &ends) == 0)
        defer { close(ends[1]) }
        var channel = ReportChannel(Descriptor(owning: ends[0]))
        let flood = [UInt8](String(repeating: message + "\n", count: 100).utf8)
        try #require(write(ends[1], flood, flood.count) == flood.count)
        channel.drain()
        let fault = channel.fault
        #expect(fault != nil)
        // What comes after is not even read.
        try #require(write(ends[1], flood, flood.count) == flood.count)
        channel.drain()
        var unread: Int32 = 0
        try #require(ioctl(channel.descriptor.number, UInt(FIONREAD), &unread) == 0)
        #expect(Int(unread) == flood.count)
    }
}
