import SergeantCG
import Testing

@Suite struct Configurations {
    private func group(_ change: (inout GroupConfiguration) -> Void = { _ in }) -> GroupConfiguration {
        var group = GroupConfiguration(program: .command(["/bin/worker"]), workers: 2)
        change(&group)
        return group
    }

    @Test func whatIsRight() {
        #expect(Configuration(groups: [group()]).fault == nil)
        let limits = Limits(memoryThreshold: 1 << 20, memoryMax: 2 << 20, swapMax: 0, pidsMax: 1)
        #expect(Configuration(groups: [group { $0.limits = limits }]).fault == nil)
        let other = GroupConfiguration(
            program: .sergeant(module: "a.b", class: "C", python: "python3"), workers: 1)
        #expect(Configuration(name: "x", groups: [group(), other]).fault == nil)
    }

    static let wrong: [(words: String, change: @Sendable (inout GroupConfiguration) -> Void)] = [
        ("at least 1", { $0.workers = 0 }),
        ("at least 1", { $0.workers = -3 }),
        ("name a program", { $0.program = .command([]) }),
        ("name a program", { $0.program = .command([""]) }),
        ("NUL", { $0.program = .command(["a", "b\0c"]) }),
        ("needs a worker module", { $0.program = .sergeant(module: "", class: "C", python: "p") }),
        ("needs a worker module", { $0.program = .sergeant(module: "m", class: "", python: "p") }),
        ("needs a worker module", { $0.program = .sergeant(module: "m", class: "C", python: "") }),
        ("1M", { $0.limits.memoryMax = (1 << 20) - 1 }),
        ("1M", { $0.limits.memoryThreshold = 0 }),
        ("must be below --memory-max", { $0.limits = Limits(memoryThreshold: 2 << 20, memoryMax: 2 << 20) }),
        ("must be below --memory-max", { $0.limits = Limits(memoryThreshold: 3 << 20, memoryMax: 2 << 20) }),
        ("--pids-max is 0", { $0.limits.pidsMax = 0 }),
        ("kernel takes at most", { $0.limits.pidsMax = .max }),
        ("--cpu-max is 0.00999", { $0.limits.cpuMax = 999 }),
        ("kernel takes from 0.01", { $0.limits.cpuMax = .max }),
        ("--cpu-weight is 0", { $0.limits.cpuWeight = 0 }),
        ("--io-weight is 10001", { $0.limits.ioWeight = 10001 }),
        (
            "--io-max has the device 8:0 twice",
            { $0.limits.ioMax = [IOLimit(major: 8, minor: 0), IOLimit(major: 8, minor: 0)] }
        ),
        (
            "the soft limit of core (2) is above its hard limit (1)",
            { $0.resourceLimits = [ResourceLimit(.core, soft: 2, hard: 1)] }
        ),
        (
            "the resource limit core is given twice",
            { $0.resourceLimits = [1, 2].map { ResourceLimit(.core, soft: $0, hard: $0) } }
        ),
        ("is above --backoff-max", { $0.backOffInitial = .seconds(31) }),
        ("stop signal 0", { $0.stopSignal = 0 }),
        ("stop signal 65", { $0.stopSignal = 65 }),
        ("group name ''", { $0.name = "" }),
        ("group name 'a/b'", { $0.name = "a/b" }),
        ("group name '..'", { $0.name = ".." }),
        ("group name '.a'", { $0.name = ".a" }),
        ("supervisor's own", { $0.name = "supervisor" }),
    ]

    @Test(arguments: wrong.indices) func whatIsWrongInAGroup(index: Int) {
        let (words, change) = Self.wrong[index]
        #expect(Configuration(groups: [group(change)]).fault?.contains(words) == true)
        // Not only in the first.
        #expect(
            Configuration(groups: [group { $0.name = "first" }, group(change)]).fault?.contains(words) == true
        )
    }

    @Test func whatIsWrongInAll() {
        #expect(Configuration(groups: []).fault?.contains("no group") == true)
        #expect(
            Configuration(groups: [group(), group()]).fault?.contains("two groups are called 'worker'")
                == true)
        for name in ["", "a/b", ".", ".."] {
            #expect(
                Configuration(name: name, groups: [group()]).fault?.contains("the name '\(name)'") == true)
        }
    }

    @Test(arguments: [
        ("/usr/bin/worker", "worker"), ("./a b.sh", "a_b_sh"), ("worker", "worker"), ("wörker", "w_rker"),
        ("/", "worker"),
        ("..", "__"), ("a\nb", "a_b"),
    ])
    func theNameOfACommand(program: String, name: String) {
        #expect(GroupConfiguration.defaultName(of: .command([program, "argument"])) == name)
    }

    /// Whatever the program is called, the group's name can be a directory's.
    @Test func theNameOfAnything() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 1 ... .max, using: &random)
            }
            let group = GroupConfiguration(
                program: .command([String(decoding: bytes, as: UTF8.self)]), workers: 1)
            #expect(!group.name.isEmpty && group.name.utf8.count <= 64 && !group.name.contains("/"))
            #expect(
                group.name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
            )
        }
    }

    @Test func theNameOfASergeantWorker() {
        #expect(
            GroupConfiguration.defaultName(of: .sergeant(module: "a.b.crawl_worker", class: "C", python: "p"))
                == "crawl_worker")
    }

    @Test func theWorkersEnvironment() {
        let group = GroupConfiguration(
            program: .command(["w"]), workers: 1,
            limits: Limits(memoryThreshold: 1 << 20, memoryMax: 2 << 20),
            environment: ["PATH": "/only/here", "NEW": "1"])
        let shared = WorkerEnvironment.shared(group)
        #expect(shared.filter { $0.hasPrefix("PATH=") } == ["PATH=/only/here"])
        #expect(shared.contains("NEW=1"))
        #expect(shared.contains("SERGEANT_MEMORY_LIMIT=1048576"))
        let names = Names(groups: [.init(name: "g")], root: "/r")
        #expect(
            WorkerEnvironment.own(
                IncarnationID(group: 0, slot: 3, number: 7), names: names, notifySocket: nil)
                == ["SERGEANT_WORKER=g-3", "SERGEANT_SLOT=3", "SERGEANT_INCARNATION=7"])
    }
}
