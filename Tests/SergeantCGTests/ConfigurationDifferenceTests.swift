import SergeantCG
import Testing

@Suite struct ConfigurationDifferences {
    private func group(_ name: String, _ change: (inout GroupConfiguration) -> Void = { _ in })
        -> GroupConfiguration
    {
        var group = GroupConfiguration(name: name, program: .command(["/bin/true"]), workers: 2)
        change(&group)
        return group
    }

    /// In words, so that a case can be read.
    private func words(_ running: [GroupConfiguration], _ wanted: [GroupConfiguration]) -> [String] {
        ConfigurationDifference(from: Configuration(groups: running), to: Configuration(groups: wanted))
            .changes
            .map { change in
                switch change {
                case .configure(let index, let group, let rolls):
                    "\(index) \(group.name)\(rolls ? " rolls" : "")"
                case .drain(let index): "\(index) drains"
                case .add(let group): "adds \(group.name)"
                }
            }
    }

    @Test func whatIsTheSameIsLeftAlone() {
        #expect(words([group("a"), group("b")], [group("b"), group("a")]) == [])
    }

    @Test func whatAWorkerIsStartedWithRolls() {
        #expect(words([group("a")], [group("a") { $0.program = .command(["/bin/false"]) }]) == ["0 a rolls"])
        #expect(words([group("a")], [group("a") { $0.oomPolicy = .continue }]) == ["0 a rolls"])
        #expect(words([group("a")], [group("a") { $0.environment["A"] = "b" }]) == ["0 a rolls"])
        #expect(words([group("a")], [group("a") { $0.noNewPrivileges = true }]) == ["0 a rolls"])
        #expect(words([group("a") { $0.noNewPrivileges = false }], [group("a")]) == [])
        let user = WorkerUser(user: 1, group: 1, groups: [1])
        #expect(words([group("a")], [group("a") { $0.user = user }]) == ["0 a rolls"])
    }

    @Test func whatTheSupervisorDoesWithThemDoesNot() {
        let gentler = group("a") {
            $0.workers = 5
            $0.stopTimeout = .seconds(60)
            $0.maximumLifetime = .seconds(3600)
            $0.restart = .onFailure
            $0.surges = true
            $0.memorySustain = .seconds(1)
            $0.groupMemoryMax = 1 << 31
            $0.backOffInitial = .seconds(1)
        }
        #expect(words([group("a")], [gentler]) == ["0 a"])
    }

    @Test func whatTheKernelChangesOnALivingWorkerDoesNot() {
        let shares = group("a") {
            $0.limits = Limits(
                memoryThreshold: 1 << 29, memoryMax: 1 << 30, swapMax: 0, zswapMax: 0, pidsMax: 5,
                cpuMax: 1000, cpuWeight: 1, ioWeight: 1, ioMax: [IOLimit(major: 8, minor: 0)])
        }
        #expect(words([group("a")], [shares]) == ["0 a"])
        #expect(words([shares], [group("a")]) == ["0 a"])
    }

    @Test func groupsComeAndGo() {
        #expect(words([group("a"), group("b")], [group("b"), group("c")]) == ["0 drains", "adds c"])
        // It was drained before, and comes back.
        #expect(words([group("a") { $0.workers = 0 }, group("b")], [group("a"), group("b")]) == ["0 a"])
        #expect(words([group("a") { $0.workers = 0 }, group("b")], [group("b")]) == [])
    }

    /// What the supervisor found at its own start is no difference of the file's.
    @Test func theFileLimitFoundIsNoDifference() {
        let running = group("a") { $0.openFileLimit = OpenFileLimit(soft: 1024, hard: 4096) }
        #expect(words([running], [group("a")]) == [])
    }

    @Test func whatCannotBeChangedIsSaid() {
        var wanted = Configuration(name: "other", groups: [group("a")])
        wanted.place = .path("/sys/fs/cgroup/x")
        let difference = ConfigurationDifference(from: Configuration(groups: [group("a")]), to: wanted)
        #expect(difference.refusals.count == 2)
        #expect(difference.changes.isEmpty)
    }
}
