import CgroupKit
import Glibc
import Testing

/// Errors end as one sentence that a person can act on.
@Suite struct ErrorTests {
    @Test(arguments: [
        (
            CgroupError(
                operation: "write", path: "/sys/fs/cgroup/x/cgroup.subtree_control", value: "+memory",
                errno: EBUSY),
            "cannot write '+memory' to /sys/fs/cgroup/x/cgroup.subtree_control: Device or resource busy (EBUSY: "
                + "a process is still in this cgroup)"
        ),
        (
            CgroupError(
                operation: "write", path: "/cg/cgroup.subtree_control", value: "-memory", errno: EBUSY),
            "cannot write '-memory' to /cg/cgroup.subtree_control: Device or resource busy (EBUSY: a child still "
                + "uses this controller)"
        ),
        (
            CgroupError(operation: "write", path: "/cg/memory.max", value: "1048576", errno: ENOENT),
            "cannot write '1048576' to /cg/memory.max: No such file or directory (ENOENT: the memory controller is "
                + "not enabled in the parent's cgroup.subtree_control)"
        ),
        (
            CgroupError(operation: "make", path: "/cg/a", errno: EROFS),
            "cannot make /cg/a: Read-only file system (EROFS: the cgroup file system is mounted read-only here)"
        ),
        (
            CgroupError(operation: "make", path: "/cg/a", errno: EACCES),
            "cannot make /cg/a: Permission denied (EACCES: this cgroup is not delegated to this user)"
        ),
        (
            CgroupError(operation: "open", path: "/cg/a.b", errno: ENOENT),
            "cannot open /cg/a.b: No such file or directory (ENOENT)"
        ),
        (
            CgroupError(operation: "read", path: "", errno: 9999),
            "cannot read : unknown error (errno 9999)"
        ),
    ])
    func aCgroupErrorIsOneSentence(error: CgroupError, sentence: String) {
        #expect(error.description == sentence)
    }

    @Test(arguments: [
        (
            SpawnError(stage: .clone, errno: EAGAIN, executable: "/bin/w", cgroup: "/cg/w"),
            "cannot start /bin/w in /cg/w: Resource temporarily unavailable (EAGAIN: pids.max of a cgroup, or the "
                + "user's process limit, is reached)", false
        ),
        (
            SpawnError(stage: .exec, errno: ENOENT, executable: "/bin/w", cgroup: "/cg/w"),
            "cannot execute /bin/w: No such file or directory (ENOENT: it does not exist, or the interpreter it "
                + "names does not)", true
        ),
        (
            SpawnError(stage: .exec, errno: ENOMEM, executable: "/bin/w", cgroup: "/cg/w"),
            "cannot execute /bin/w: Cannot allocate memory (ENOMEM)", false
        ),
        (
            SpawnError(stage: .exec, errno: EACCES, executable: "/bin/w", cgroup: "/cg/w"),
            "cannot execute /bin/w: Permission denied (EACCES: the user it runs as must be allowed to execute it, and to "
                + "search every directory above it)", true
        ),
    ])
    func aSpawnErrorIsOneSentence(error: SpawnError, sentence: String, isProgramFault: Bool) {
        #expect(error.description == sentence)
        #expect(error.isProgramFault == isProgramFault)
    }

    private func failure(_ change: (inout ProcessSpecification) -> Void) -> SpawnError? {
        var specification = ProcessSpecification(executable: "/bin/w", arguments: ["w"], environment: ["A=b"])
        change(&specification)
        do throws(SpawnError) {
            _ = try PreparedProcess(specification)
            return nil
        } catch {
            return error
        }
    }

    @Test func whatCannotBeRunIsRefusedBeforeItIsTried() {
        #expect(failure { _ in } == nil)
        #expect(failure { $0.executable = "/bin/\0w" }?.errno == EINVAL)
        #expect(failure { $0.arguments = ["w", "\0"] }?.errno == EINVAL)
        #expect(failure { $0.environment = ["A"] }?.errno == EINVAL)
        #expect(failure { $0.environment = ["A=\0"] }?.errno == EINVAL)
        #expect(failure { $0.pidVariables = ["A\0"] }?.errno == EINVAL)
        #expect(failure { $0.descriptors = [.init(source: -1, target: 3)] }?.errno == EINVAL)
        #expect(failure { $0.descriptors = [.init(source: 3, target: -1)] }?.errno == EINVAL)
        let twice = failure {
            $0.descriptors = [.init(source: 3, target: 5), .init(source: 4, target: 5)]
        }
        #expect(twice?.errno == EINVAL)
        #expect(twice?.stage == .prepare)
        let many = failure { $0.descriptors = (0...1024).map { .init(source: 0, target: Int32($0)) } }
        #expect(many?.errno == E2BIG)
    }

    @Test func onlyWhatIsThereCanBeReplaced() throws {
        var specification = ProcessSpecification(executable: "/bin/w", arguments: ["w"], environment: ["A=b"])
        specification.pidVariables = ["P"]
        specification.descriptors = [.init(source: 0, target: 3)]
        let process = try PreparedProcess(specification)
        try process.replaceLastVariables(["A=c"])
        try process.setSource(1, forTarget: 3)
        #expect(throws: SpawnError.self) { try process.replaceLastVariables(["A=b", "P=1"]) }
        #expect(throws: SpawnError.self) { try process.replaceLastVariables(["A"]) }
        #expect(throws: SpawnError.self) { try process.setSource(1, forTarget: 4) }
        #expect(throws: SpawnError.self) { try process.setSource(-1, forTarget: 3) }
    }
}
