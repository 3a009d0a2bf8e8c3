import CLinux
import FoundationEssentials
import Glibc
import SergeantCG
import Testing

@Suite struct LogText {
    private struct Decoded: Decodable, Equatable {
        var text: String
        var list: [String]
        var integer: Int64
        var unsigned: UInt64
    }

    private func decode(_ text: String, _ list: [String], _ integer: Int64, _ unsigned: UInt64) throws
        -> Decoded
    {
        var json = JSONText()
        json.object { object in
            object.member("text", .text(text))
            object.member("list", .texts(list))
            object.member("integer", .integer(integer))
            object.member("unsigned", .unsigned(unsigned))
        }
        json.newline()
        #expect(json.bytes.last == UInt8(ascii: "\n"))
        #expect(!json.bytes.dropLast().contains { $0 < 0x20 }, "a line stays one line")
        return try JSONDecoder().decode(Decoded.self, from: Data(json.bytes))
    }

    /// Random bytes, taken as text, come back from any reader of JSON as they were.
    @Test func anyBytesAreValidJSON() throws {
        var random = SystemRandomNumberGenerator()
        func text() -> String {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                // Half of them from where it hurts: control characters, quotes, the ends of UTF-8's ranges.
                Bool.random(using: &random)
                    ? UInt8.random(in: 0 ... .max, using: &random)
                    : [0, 7, 9, 10, 13, 0x1B, 0x1F, 0x22, 0x5C, 0x7F, 0x80, 0xC2, 0xE2, 0xED, 0xF0, 0xFF]
                        .randomElement(
                            using: &random) ?? 0
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        for _ in 0..<5000 {
            let expected = Decoded(
                text: text(), list: (0..<Int.random(in: 0...3, using: &random)).map { _ in text() },
                integer: Int64.random(in: .min ... .max, using: &random),
                unsigned: UInt64.random(in: .min ... .max, using: &random))
            #expect(try decode(expected.text, expected.list, expected.integer, expected.unsigned) == expected)
        }
    }

    /// What no line has room for is not asked of the kernel at each end.
    @Test func onlyJSONTellsWhatAWorkerTook() {
        #expect(LogLines(descriptor: STDERR_FILENO, format: .json).tellsUsage)
        #expect(!LogLines(descriptor: STDERR_FILENO, format: .text).tellsUsage)
        #expect(!LogLines(descriptor: STDERR_FILENO, format: .colouredText).tellsUsage)
    }

    @Test func theEndsOfEveryRange() throws {
        let all = String(String.UnicodeScalarView((0...0x7FF).compactMap { Unicode.Scalar($0) }))
        let rare = "\u{2028}\u{2029}\u{FEFF}\u{FFFD}\u{FFFF}\u{10FFFF}\u{1F469}\u{200D}\u{1F680}"
        for (integer, unsigned) in [(Int64.min, UInt64.min), (.max, .max), (0, 0)] {
            let expected = Decoded(text: all + rare, list: [], integer: integer, unsigned: unsigned)
            #expect(try decode(all + rare, [], integer, unsigned) == expected)
        }
    }

    @Test func membersKeepTheirOrder() {
        var json = JSONText()
        json.object { object in
            for name in ["z", "a", "m"] { object.member(name, .texts(["\"", "x"])) }
        }
        #expect(
            String(decoding: json.bytes, as: UTF8.self) == #"{"z":["\"","x"],"a":["\"","x"],"m":["\"","x"]}"#)
    }

    @Test(arguments: [
        (0, 0, "1970-01-01T00:00:00.000000Z"), (951_782_400, 999_999_999, "2000-02-29T00:00:00.999999Z"),
        (1_735_689_599, 1000, "2024-12-31T23:59:59.000001Z"),
        (4_102_444_800, 0, "2100-01-01T00:00:00.000000Z"),
    ])
    func theTime(seconds: Int, nanoseconds: Int, text: String) {
        #expect(LogLines.universalTime(seconds, nanoseconds: nanoseconds) == text)
    }

    /// What lines a log of these occurrences has.
    private func lines(
        _ format: LogLines.Format, least: Record.Level = .debug, _ occurrences: [Occurrence]
    ) throws -> [String] {
        let pipe = try TestPipe()
        let log = LogLines(descriptor: pipe.writing, format: format, least: least)
        for occurrence in occurrences {
            log.observe(occurrence, named: Names(groups: [.init(name: "g")], root: "/r"))
        }
        log.flush()
        return String(decoding: pipe.readAvailable(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func aTextLineIsUpstreamsAndStaysOne() throws {
        let text = try lines(.text, [.hostNotice(sentence: "one\ntwo\r\n\u{1B}[2J\rthree\u{2028}f\u{9B}ö")])
        #expect(text.count == 1)
        let form =
            /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Supervisor   (\d+) WARNING  one\\ntwo\\r\\n\\u\{1b\}\[2J\\rthree\\u\{2028\}f\\u\{9b\}ö/
        #expect(text.first?.wholeMatch(of: form)?.1 == "\(getpid())")
        let coloured = try lines(.colouredText, [.hostNotice(sentence: "x")])
        #expect(
            coloured.first?.hasPrefix("\u{1B}[33m") == true && coloured.first?.hasSuffix("x\u{1B}[0m") == true
        )
    }

    @Test(arguments: Record.Level.allCases) func theLeastLevel(least: Record.Level) throws {
        let id = IncarnationID(group: 0, slot: 1, number: 1)
        let one: [Occurrence] = [
            .workerReady(id, pid: 1), .supervisorReady, .hostNotice(sentence: ""),
            .hostTrouble(nil, sentence: ""),
            .groupFailed(group: 0, .cannotRun(id)),
        ]
        #expect(try lines(.json, least: least, one).count == 5 - least.rawValue)
    }
}

/// A pipe whose ends are closed with it.
final class TestPipe {
    let reading: Int32
    let writing: Int32

    init(capacity: Int32 = 1 << 20) throws {
        var ends: [Int32] = [-1, -1]
        try #require(linux_pipe2(&ends, O_CLOEXEC) == 0)
        (reading, writing) = (ends[0], ends[1])
        // F_SETPIPE_SZ; an ordinary user may be refused more than a megabyte.
        try #require(fcntl(reading, 1031, capacity) >= 0)
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// All that is in it.
    func readAvailable() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            var request = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, 0) == 1, request.revents & Int16(POLLIN) != 0 else { return bytes }
            let count = read(reading, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }
}

@Suite struct LogSink {
    private func line(_ number: Int, length: Int = 1000) -> [UInt8] {
        let start = Array("\(number) ".utf8)
        return start + [UInt8](repeating: UInt8(ascii: "x"), count: length - start.count - 1) + [
            UInt8(ascii: "\n")
        ]
    }

    /// Nobody reads: nothing blocks, what is kept is bounded, and each line is either kept whole or counted.
    @Test(arguments: ["pipe", "socket"]) func nobodyReads(kind: String) throws {
        var ends: [Int32] = [-1, -1]
        var pipe: TestPipe?
        if kind == "pipe" {
            let made = try TestPipe(capacity: 4096)
            pipe = made
            ends = [made.reading, made.writing]
        } else {
            try #require(socketpair(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0, &ends) == 0)
        }
        defer {
            if pipe == nil {
                close(ends[0])
                close(ends[1])
            }
        }
        let sink = LineSink(descriptor: ends[1])
        let total = 2 * LineSink.capacity / 1000
        for number in 0..<total {
            sink.append(line(number))
            if number % 100 == 0 { sink.flush() }
        }
        sink.flush()
        #expect(sink.isWaiting && !sink.hasRoom)
        let dropped = Int(sink.dropped)
        #expect(dropped > 0 && dropped < total)
        // Ours is not theirs: the flags of the descriptor that others share are as they were.
        #expect(fcntl(ends[1], F_GETFL) & O_NONBLOCK == 0)
        var got: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            sink.flush()
            var request = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, 0) == 1 else { break }
            let count = read(ends[0], &buffer, buffer.count)
            try #require(count > 0)
            got += buffer[..<count]
        }
        #expect(!sink.isWaiting && sink.hasRoom)
        let lines = got.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count + dropped == total)
        #expect(lines.allSatisfy { $0.count == 999 })
        // In order, and none twice.
        let numbers = lines.compactMap {
            Int(String(decoding: $0.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
        }
        #expect(numbers.count == lines.count && zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        #expect(sink.takeDropped() == UInt64(dropped) && sink.dropped == 0)
    }

    @Test func theReaderWent() throws {
        var ends: [Int32] = [-1, -1]
        try #require(linux_pipe2(&ends, O_CLOEXEC) == 0)
        let before = signal(SIGPIPE, SIG_IGN)
        defer { signal(SIGPIPE, before) }
        let sink = LineSink(descriptor: ends[1])
        close(ends[0])
        for number in 0..<100 { sink.append(line(number)) }
        sink.flush()
        #expect(!sink.isWaiting)
        sink.append(line(1))
        sink.flush()
        #expect(!sink.isWaiting)
        close(ends[1])
    }

    /// A named pipe's reader may go and another come: what was lost between is counted, and the log goes on.
    @Test func anotherReaderComes() throws {
        let path = "/tmp/sergeantcg-test-\(getpid())-fifo"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let before = signal(SIGPIPE, SIG_IGN)
        defer { signal(SIGPIPE, before) }
        func open() throws -> Int32 {
            let reader = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            try #require(reader >= 0)
            return reader
        }
        var reader = try open()
        let writer = Glibc.open(path, O_WRONLY | O_CLOEXEC)
        try #require(writer >= 0)
        defer { close(writer) }
        let sink = LineSink(descriptor: writer)
        close(reader)
        for number in 0..<3 { sink.append(line(number)) }
        sink.flush()
        #expect(sink.dropped == 3)
        #expect(!sink.isWaiting && !sink.hasRoom)
        reader = try open()
        defer { close(reader) }
        sink.append(line(3))
        sink.flush()
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(reader, &buffer, buffer.count)
        #expect(count > 0 && Array(buffer[..<max(count, 0)]) == line(3))
        #expect(sink.hasRoom && sink.takeDropped() == 3)
    }

    /// A full disk takes nothing: the lines are lost and counted, and nothing loops.
    @Test func aFullDisk() throws {
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(full >= 0)
        defer { close(full) }
        let sink = LineSink(descriptor: full)
        for number in 0..<10 {
            sink.append(line(number))
            sink.flush()
        }
        #expect(sink.dropped == 10)
        #expect(!sink.isWaiting)
    }

    /// A line longer than all that may wait is still taken whole.
    @Test func aVeryLongLine() throws {
        let pipe = try TestPipe()
        let sink = LineSink(descriptor: pipe.writing)
        let long = line(0, length: LineSink.capacity * 2)
        sink.append(long)
        var got: [UInt8] = []
        while got.count < long.count {
            sink.flush()
            let more = pipe.readAvailable()
            try #require(!more.isEmpty)
            got += more
        }
        #expect(got == long)
        #expect(sink.dropped == 0)
    }

    @Test func theLastWordsWaitForAReaderOnlyAMoment() throws {
        let pipe = try TestPipe(capacity: 4096)
        let sink = LineSink(descriptor: pipe.writing)
        for number in 0..<100 { sink.append(line(number)) }
        let took = ContinuousClock().measure { sink.drain(milliseconds: 50) }
        #expect(took >= .milliseconds(50) && took < .seconds(5))
        #expect(sink.isWaiting)
    }
}
