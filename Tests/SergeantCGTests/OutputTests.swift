import CLinux
import Glibc
import SergeantCG
import SergeantCommand
import Testing

@Suite struct WorkerOutputs {
    @Test func words() {
        #expect(WorkerOutput("inherit") == .inherit)
        #expect(WorkerOutput("prefix") == .prefix)
        #expect(WorkerOutput("journal") == .journal)
        #expect(WorkerOutput("./journal") == .file("./journal"))
        #expect(WorkerOutput("/var/log/x") == .file("/var/log/x"))
        for other in ["", "jornal", "log.txt", "Journal", "/a\0b"] {
            #expect(WorkerOutput(other) == nil, "\(other)")
        }
    }

    @Test func onTheCommandLineAndInAFile() throws {
        let flags = try RunCommandLine.settings(["--output", "journal", "--", "g"])
        #expect(flags.configuration.groups[0].output == .journal)
        #expect(throws: (any Error).self) { try RunCommandLine.settings(["--output", "jornal", "--", "g"]) }
    }

    @Test func theStreamsVariableIsNotPassedOnWithAnotherOutput() {
        setenv("JOURNAL_STREAM", "1:2", 1)
        defer { unsetenv("JOURNAL_STREAM") }
        func variables(_ output: WorkerOutput) -> [String] {
            WorkerEnvironment.shared(
                GroupConfiguration(program: .command(["x"]), workers: 1, output: output))
        }
        #expect(variables(.inherit).contains("JOURNAL_STREAM=1:2"))
        for output in [WorkerOutput.prefix, .journal, .file("/x")] {
            #expect(!variables(output).contains { $0.hasPrefix("JOURNAL_STREAM") })
        }
    }
}

@Suite struct Lines {
    private func lines(_ pieces: [[UInt8]]) -> [String] {
        var breaker = LineBreaker()
        var result: [String] = []
        for piece in pieces {
            piece.withUnsafeBytes { breaker.take($0) { result.append(String(decoding: $0, as: UTF8.self)) } }
        }
        breaker.finish({ result.append(String(decoding: $0, as: UTF8.self)) }, evenIfEmpty: false)
        return result
    }

    private func lines(_ pieces: String...) -> [String] { lines(pieces.map { Array($0.utf8) }) }

    @Test func piecesBecomeLines() {
        #expect(lines("a\nb", "c\n", "\n\nd") == ["a", "bc", "", "", "d"])
        #expect(lines("", "\n") == [""])
        #expect(lines("a\r\n") == ["a\r"])
        #expect(lines() == [])
    }

    @Test func aLongLineIsBroken() {
        let longest = LineBreaker.longest
        let text = String(repeating: "x", count: longest)
        #expect(lines(text + "\n") == [text])
        #expect(lines(text, "\n") == [text, ""], "its end came after it was broken off")
        #expect(lines(text + "y\nz\n") == [text, "y", "z"])
        #expect(lines(text + text + "y") == [text, text, "y"])
    }

    @Test(arguments: ["é", "€", "🚀"]) func notInTheMidstOfACharacter(character: String) {
        let length = character.utf8.count
        for before in 0..<length {
            let text = String(repeating: "x", count: LineBreaker.longest - before) + character
            let broken = lines(text + "y\n")
            #expect(broken.joined() == text + "y")
            #expect(broken.count == 2 && broken.allSatisfy { $0.utf8.count <= LineBreaker.longest })
        }
        // And what is no text is broken all the same.
        let garbage = [UInt8](repeating: 0x80, count: 3 * LineBreaker.longest)
        var breaker = LineBreaker()
        var total = 0
        garbage.withUnsafeBytes { breaker.take($0) { total += $0.count } }
        #expect(total == garbage.count)
    }

    /// Whatever the pieces are, the bytes are all there, and no line is too long.
    @Test func anyPieces() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<10 {
            let bytes = (0..<Int.random(in: 0...40000, using: &random)).map { _ in
                UInt8.random(in: 0...3, using: &random) == 0 && Int.random(in: 0...2000, using: &random) == 0
                    ? 10 : UInt8.random(in: 11 ... .max, using: &random)
            }
            var breaker = LineBreaker()
            var got: [UInt8] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(Int.random(in: 1...9000, using: &random)))
                rest = rest.dropFirst(piece.count)
                piece.withUnsafeBytes {
                    breaker.take($0) { line in
                        #expect(line.count <= LineBreaker.longest)
                        got += line
                    }
                }
            }
            breaker.finish({ got += $0 }, evenIfEmpty: false)
            #expect(got == bytes.filter { $0 != 10 })
        }
    }
}

@Suite struct JournalStreams {
    /// A stream socket where journald's would be.
    private final class Listener {
        let path = "/tmp/sergeantcg-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let socket: Int32

        init(backlog: Int32) throws {
            socket = Glibc.socket(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0 && listen(socket, backlog) == 0)
        }

        deinit {
            close(socket)
            unlink(path)
        }
    }

    @Test func theHeader() throws {
        let listener = try Listener(backlog: 8)
        let stream = try JournalStream.open(identifier: "crawl-1\nx", path: listener.path)
        #expect(fcntl(stream.number, F_GETFL) & O_NONBLOCK == 0, "a program's standard output waits")
        #expect(fcntl(stream.number, F_GETFD) & FD_CLOEXEC != 0)
        let accepted = linux_accept4(listener.socket, LINUX_SOCK_CLOEXEC)
        try #require(accepted >= 0)
        defer { close(accepted) }
        try #require(write(stream.number, "hello\n", 6) == 6)
        var buffer = [UInt8](repeating: 0, count: 1000)
        let count = read(accepted, &buffer, buffer.count)
        #expect(
            String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
                == "crawl-1\n\n6\n1\n0\n0\n0\nhello\n")
    }

    /// journald stands still and its backlog is full: that is said, and not waited for.
    @Test func nobodyAccepts() throws {
        let listener = try Listener(backlog: 0)
        var open: [Int32] = []
        defer { for descriptor in open { close(descriptor) } }
        var refusal: SupervisorError?
        for _ in 0..<4 {
            do {
                let stream = try JournalStream.open(identifier: "x", path: listener.path)
                open.append(dup(stream.number))
            } catch { refusal = error }
        }
        #expect(!open.isEmpty)
        #expect(refusal?.description.contains("does not take any more") == true)
    }

    @Test func thereIsNoJournald() {
        #expect(throws: SupervisorError.self) {
            _ = try JournalStream.open(identifier: "x", path: "/tmp/sergeantcg-none")
        }
        let error = #expect(throws: SupervisorError.self) {
            try JournalStream.check(path: "/tmp/sergeantcg-none")
        }
        #expect(error?.description.contains("/tmp/sergeantcg-none") == true)
    }
}
