import CLinux
import CgroupKit
import Glibc
import Testing

/// The signal mask of the calling thread as the kernel has it.
private func signalMask() -> [Bool] {
    var mask = sigset_t()
    pthread_sigmask(SIG_BLOCK, nil, &mask)
    return (1...64).map { sigismember(&mask, $0) == 1 }
}

/// Runs `body` with a mask that is neither empty nor full.
private func withOddMask(_ body: () throws -> Void) rethrows {
    var wanted = sigset_t()
    var before = sigset_t()
    sigemptyset(&wanted)
    for signal in [SIGUSR1, SIGTERM, SIGCHLD, 40] { sigaddset(&wanted, signal) }
    pthread_sigmask(SIG_SETMASK, &wanted, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
}

private func hasChild() -> Bool {
    var info = siginfo_t()
    // __WALL: one that never came to exec has no exit signal.
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | 0x4000_0000) == 0
}

/// Takes a SIGCHLD that is pending for this thread, which blocks it, or for the process.
private func takeSIGCHLD() -> Bool {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGCHLD)
    var noTime = timespec()
    return sigtimedwait(&set, nil, &noTime) == SIGCHLD
}

/// Runs `body` and checks that it leaves nothing behind: no descriptor, no child, no other mask, no SIGCHLD.
private func expectingNoTrace(_ body: () throws -> Void) throws {
    try withOddMask {
        let descriptors = try openDescriptors()
        let mask = signalMask()
        // Of a child before: another thread may take it at any moment.
        _ = takeSIGCHLD()
        try body()
        #expect(try openDescriptors() == descriptors)
        #expect(signalMask() == mask)
        #expect(!hasChild())
        #expect(!takeSIGCHLD())
    }
}

private func prepared(_ executable: String, _ mode: ProcessSpecification.Mode) throws -> PreparedProcess {
    var specification = ProcessSpecification(executable: executable, arguments: ["it"], environment: [])
    specification.mode = mode
    return try PreparedProcess(specification)
}

extension NativeCgroup {
    /// `Cgroup.spawn` that fails: the reason is told, and nothing is left.
    @Suite(.serialized) struct SpawnFailure {
        @Test(arguments: ProcessSpecification.Mode.allCases)
        func successLeavesMaskAndDescriptorsAlone(mode: ProcessSpecification.Mode) throws {
            try withTestCgroup { own in
                let process = try prepared("/bin/true", mode)
                for _ in 1...20 {
                    try withOddMask {
                        let descriptors = try openDescriptors()
                        let mask = signalMask()
                        do {
                            let placed = try own.spawn(process)
                            #expect(signalMask() == mask)
                            #expect(try waitForExit(placed.pidfd) == .exited(0))
                        }
                        #expect(try openDescriptors() == descriptors)
                        #expect(!hasChild())
                    }
                }
            }
        }

        @Test(arguments: [
            ("/nonexistent", ENOENT), ("/etc", EACCES), ("/etc/passwd", EACCES), ("/etc/passwd/x", ENOTDIR),
        ])
        func aProgramThatCannotRunIsToldAtOnce(path: String, code: Int32) throws {
            try withTestCgroup { own in
                let process = try prepared(path, .sharesMemory)
                for _ in 1...20 {
                    try expectingNoTrace {
                        let error = #expect(throws: SpawnError.self) { _ = try own.spawn(process) }
                        #expect(error?.stage == .exec)
                        #expect(error?.errno == code)
                        #expect(error?.isProgramFault == true)
                    }
                }
                #expect(try !own.events().populated)
            }
        }

        /// SIGCHLD ignored, as inherited from some parents, would have the kernel reap for us.
        @Test func aProgramThatCannotRunIsToldThoughSIGCHLDIsIgnored() throws {
            let before = signal(SIGCHLD, SIG_IGN)
            defer { signal(SIGCHLD, before) }
            try withTestCgroup { own in
                let process = try prepared("/nonexistent", .sharesMemory)
                try expectingNoTrace {
                    let error = #expect(throws: SpawnError.self) { _ = try own.spawn(process) }
                    #expect(error?.errno == ENOENT)
                }
            }
        }

        @Test func aCopyTellsThroughItsPipe() throws {
            try withTestCgroup { own in
                let process = try prepared("/nonexistent", .copiesMemory)
                try expectingNoTrace {
                    let placed = try own.spawn(process)
                    #expect(try waitForExit(placed.pidfd) == .exited(127))
                    let maybe = placed.statusPipe
                    let statusPipe = try #require(maybe)
                    #expect(try StartStatus.read(statusPipe) == .failed(.exec, errno: ENOENT))
                }
            }
        }

        @Test(arguments: ProcessSpecification.Mode.allCases)
        func anInnerNodeTakesNoProcess(mode: ProcessSpecification.Mode) throws {
            try withTestCgroup { own in
                try withController(in: own) { controller in
                    try own.enable(controller)
                    defer { #expect(throws: Never.self) { try own.disable(controller) } }
                    let process = try prepared("/bin/true", mode)
                    try expectingNoTrace {
                        let error = #expect(throws: SpawnError.self) { _ = try own.spawn(process) }
                        #expect(error?.stage == .clone)
                        #expect(error?.errno == EBUSY)
                        #expect(
                            error?.description
                                == "cannot start /bin/true in \(own.path): Device or resource busy (EBUSY: "
                                + "controllers are enabled for its children, so it cannot hold processes itself)"
                        )
                    }
                }
            }
        }

        @Test(arguments: ProcessSpecification.Mode.allCases)
        func aRemovedCgroupTakesNoProcess(mode: ProcessSpecification.Mode) throws {
            try withTestCgroup { own in
                let leaf = try own.makeChild("gone")
                try own.removeChild("gone")
                let process = try prepared("/bin/true", mode)
                try expectingNoTrace {
                    let error = #expect(throws: SpawnError.self) { _ = try leaf.spawn(process) }
                    #expect(error?.stage == .clone)
                    #expect(error?.errno == ENODEV)
                }
            }
        }

        /// A descriptor to hand on that is not open, and a file limit that cannot be: each with its own stage.
        @Test func everyStepOfTheChildTellsItsStage() throws {
            try withTestCgroup { own in
                var specification = ProcessSpecification(
                    executable: "/bin/true", arguments: ["true"], environment: [])
                specification.descriptors = [.init(source: 1000, target: 5)]
                let closed = try PreparedProcess(specification)
                try expectingNoTrace {
                    let error = #expect(throws: SpawnError.self) { _ = try own.spawn(closed) }
                    #expect(error?.stage == .descriptors)
                    #expect(error?.errno == EBADF)
                }
                specification.descriptors = []
                specification.resourceLimits = [.init(Int32(RLIMIT_NOFILE.rawValue), soft: 2, hard: 1)]
                let unlimited = try PreparedProcess(specification)
                try expectingNoTrace {
                    let error = #expect(throws: SpawnError.self) { _ = try own.spawn(unlimited) }
                    #expect(error?.stage == .limits)
                    #expect(error?.errno == EINVAL)
                }
                specification.resourceLimits = []
                specification.user = .init(user: 1, group: 1, groups: [])
                let watched = #expect(throws: SpawnError.self) { try PreparedProcess(specification) }
                #expect(watched?.stage == .prepare && watched?.errno == EINVAL)
                specification.user = nil
                specification.oomScoreAdjustment = 1001
                let unheard = try PreparedProcess(specification)
                try expectingNoTrace {
                    let error = #expect(throws: SpawnError.self) { _ = try own.spawn(unheard) }
                    #expect(error?.stage == .oomScore)
                    #expect(error?.errno == EINVAL)
                }
            }
        }
    }
}
