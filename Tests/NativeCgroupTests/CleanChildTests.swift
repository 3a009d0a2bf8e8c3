import CLinux
import CgroupKit
import Glibc
import Testing

/// A file in memory with this text.
private func memoryFile(_ text: String) throws -> Int32 {
    let file = linux_memfd_create("cgroupkit")
    try #require(file >= 0)
    try #require(text.withCString { write(file, $0, strlen($0)) } == text.utf8.count)
    return file
}

private func target(ofLink path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
        guard let start = buffer.baseAddress else { return nil }
        let count = readlink(path, start, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Every descriptor of this process: what it refers to, and whether exec closes it.
private func descriptorTable() throws -> [String: String] {
    var table: [String: String] = [:]
    for name in try openDescriptors() {
        let link = try #require(target(ofLink: "/proc/self/fd/\(name)"))
        let number = try #require(Int32(name))
        table[name] = "\(link) \(fcntl(number, F_GETFD))"
    }
    return table
}

/// SplitMix64, so that a failure can be replayed from its seed.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

private func field(_ name: String, of status: String) -> String? {
    for line in status.split(separator: "\n") where line.hasPrefix("\(name):") {
        return String(line.dropFirst(name.count + 1).drop { $0 == "\t" || $0 == " " })
    }
    return nil
}

extension NativeCgroup {
    /// What a started process finds: nothing of ours but what it was given.
    @Suite(.serialized) struct CleanChild {
        @Test(arguments: ProcessSpecification.Mode.allCases)
        func signalsAndSessionAreItsOwn(mode: ProcessSpecification.Mode) throws {
            let pipeBefore = signal(SIGPIPE, SIG_IGN)
            let realtimeBefore = signal(64, SIG_IGN)
            let userBefore = signal(SIGUSR2) { _ in }
            var mask = sigset_t()
            var maskBefore = sigset_t()
            sigfillset(&mask)
            pthread_sigmask(SIG_SETMASK, &mask, &maskBefore)
            defer {
                pthread_sigmask(SIG_SETMASK, &maskBefore, nil)
                signal(SIGPIPE, pipeBefore)
                signal(64, realtimeBefore)
                signal(SIGUSR2, userBefore)
            }
            let ignored = ProcessSpecification.ignoredSignals()
            #expect(ignored & (1 << UInt64(SIGPIPE - 1)) != 0)
            #expect(ignored & (1 << 63) != 0)
            #expect(ignored & (1 << UInt64(SIGUSR2 - 1)) == 0)

            try withTestCgroup { own in
                let status = try run(["/bin/cat", "/proc/self/status"], in: own, mode: mode) {
                    $0.resetSignals = ignored
                }.output
                #expect(field("SigBlk", of: status) == "0000000000000000")
                #expect(field("SigIgn", of: status) == "0000000000000000")
                #expect(field("SigCgt", of: status) == "0000000000000000")
                #expect(field("NSsid", of: status) == field("Pid", of: status))

                // Asked for neither, it gets neither.
                let other = try run(["/bin/cat", "/proc/self/status"], in: own, mode: mode) {
                    $0.newSession = false
                }.output
                #expect(field("SigIgn", of: other).flatMap { UInt64($0, radix: 16) } == ignored)
                #expect(field("NSsid", of: other) != field("Pid", of: other))
            }
        }

        /// Hundreds of ours are open and would survive exec.
        @Test(arguments: ProcessSpecification.Mode.allCases)
        func onlyTheWantedDescriptorsAreOpen(mode: ProcessSpecification.Mode) throws {
            let ours = (1...300).map { _ in open("/dev/null", O_RDONLY) }
            defer { for one in ours { close(one) } }
            #expect(ours.allSatisfy { $0 >= 0 })
            let table = try descriptorTable()
            try withTestCgroup { own in
                // ls has one more open: the directory it reads.
                let list = ["/bin/ls", "/proc/self/fd"]
                let low = try run(list, in: own, mode: mode).output
                #expect(low == "0\n1\n2\n3\n")
                let high = try run(list, in: own, mode: mode) {
                    $0.descriptors.append(.init(source: ours[299], target: 3))
                    $0.descriptors.append(.init(source: ours[0], target: 200))
                }.output
                #expect(Set(high.split(separator: "\n")) == ["0", "1", "2", "3", "200", "4"])
            }
            #expect(try descriptorTable().filter { table[$0.key] != nil } == table)
        }

        /// Descriptors arrive at their numbers whatever stands in their way, and our own stay where they are.
        @Test(arguments: ProcessSpecification.Mode.allCases)
        func descriptorsArriveAtTheirNumbers(mode: ProcessSpecification.Mode) throws {
            var generator = Generator(state: 20_260_101)
            let files = try (0..<8).map { try memoryFile("file \($0)") }
            defer { for file in files { close(file) } }
            let script = "for n; do echo \"$n $(cat /proc/self/fd/$n)\"; done"
            try withTestCgroup { own in
                for round in 1...60 {
                    // Many targets are numbers of other sources, or of the pipe.
                    let numbers = (Array(3...12) + files).shuffled(using: &generator)
                    let targets = Set(numbers).shuffled(using: &generator)
                        .prefix(Int.random(in: 1...10, using: &generator))
                    let wanted = targets.map { (target: $0, file: Int.random(in: 0..<8, using: &generator)) }
                    let table = try descriptorTable()
                    let arguments = ["/bin/sh", "-c", script, "sh"] + wanted.map { "\($0.target)" }
                    let (output, exit) = try run(arguments, in: own, mode: mode) {
                        for one in wanted {
                            $0.descriptors.append(.init(source: files[one.file], target: one.target))
                        }
                    }
                    #expect(exit == .exited(0))
                    #expect(
                        output == wanted.map { "\($0.target) file \($0.file)\n" }.joined(),
                        "round \(round): \(wanted)")
                    #expect(try descriptorTable() == table)
                }
            }
        }

        @Test(arguments: ProcessSpecification.Mode.allCases)
        func limitsAreItsOwn(mode: ProcessSpecification.Mode) throws {
            func ourScore() throws -> String {
                let file = try #require(fopen("/proc/self/oom_score_adj", "r"))
                defer { fclose(file) }
                var text = [CChar](repeating: 0, count: 32)
                try #require(fgets(&text, 32, file) != nil)
                return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            let ours = try ourScore()
            try withTestCgroup { own in
                let output = try run(
                    ["/bin/sh", "-c", "cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn"], in: own,
                    mode: mode
                ) {
                    $0.oomScoreAdjustment = 321
                    $0.resourceLimits = [.init(Int32(RLIMIT_NOFILE.rawValue), soft: 123, hard: 456)]
                }.output
                #expect(output == "321\n123\n456\n")
            }
            #expect(try ourScore() == ours)
        }

        @Test(arguments: ProcessSpecification.Mode.allCases)
        func variablesCanBeReplacedAndHoldThePID(mode: ProcessSpecification.Mode) throws {
            try withTestCgroup { own in
                var pipe = try Pipe()
                var specification = ProcessSpecification(
                    executable: "/bin/sh",
                    arguments: ["sh", "-c", "echo $((LISTEN_PID - $$)) $KEPT $SLOT $INCARNATION"],
                    environment: ["KEPT=kept", "SLOT=", "INCARNATION="])
                specification.pidVariables = ["LISTEN_PID"]
                specification.mode = mode
                specification.descriptors = [.init(source: 0, target: 1)]
                let process = try PreparedProcess(specification)
                try process.setSource(pipe.writing, forTarget: 1)
                for incarnation in [9, 1_000_000_007, 3] {
                    try process.replaceLastVariables(["SLOT=7", "INCARNATION=\(incarnation)"])
                    let placed = try own.spawn(process)
                    #expect(try waitForExit(placed.pidfd) == .exited(0))
                }
                #expect(
                    try pipe.readToEnd() == "0 kept 7 9\n0 kept 7 1000000007\n0 kept 7 3\n")
            }
        }

        @Test func aSignalThatEndsItIsTold() throws {
            try withTestCgroup { own in
                let exit = try run(["/bin/sh", "-c", "kill -KILL $$"], in: own).exit
                #expect(exit == .signaled(SIGKILL, coreDumped: false))
            }
        }
    }
}
