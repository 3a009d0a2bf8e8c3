import SergeantCG
import Testing

@Suite struct Diagnoses {
    private let configuration = Configuration(groups: [
        GroupConfiguration(
            name: "a", program: .command(["x"]), workers: 1, limits: Limits(memoryMax: 1 << 30)),
        GroupConfiguration(
            name: "b", program: .command(["x"]), workers: 1, limits: Limits(pidsMax: 9),
            groupMemoryMax: 1 << 30),
    ])

    private func facts(_ change: (inout PlaceFacts) -> Void = { _ in }) -> PlaceFacts {
        var facts = PlaceFacts()
        facts.kernel = "6.12"
        facts.mountPoint = "/sys/fs/cgroup"
        facts.root = "/sys/fs/cgroup/x"
        facts.isWritable = true
        facts.controllers = ["cpu", "io", "memory", "pids"]
        facts.accountsSwap = true
        facts.remedy = "do this"
        change(&facts)
        return facts
    }

    private func enforced(_ facts: PlaceFacts) -> [String] {
        Diagnosis(facts, for: configuration).verdicts.filter(\.isEnforced).map(\.option)
    }

    @Test func whatIsEnforced() {
        let memory = [
            "max-worker-memory-usage", "memory-max", "swap-max", "group-memory-max", "zswap-max",
            "memory-pressure",
        ]
        let all = memory + ["pids-max", "cpu-max", "cpu-weight", "io-weight", "io-max"]
        #expect(enforced(facts()) == all)
        #expect(enforced(facts { $0.controllers = ["pids"] }) == ["pids-max"])
        #expect(enforced(facts { $0.controllers = ["memory"] }) == memory)
        #expect(enforced(facts { $0.controllers = ["cpu"] }) == ["cpu-max", "cpu-weight"])
        #expect(enforced(facts { $0.lackingFiles = ["io.weight"] }) == all.filter { $0 != "io-weight" })
        #expect(enforced(facts { $0.isWritable = false }) == [])
        #expect(enforced(facts { $0.root = nil }) == [])
        #expect(enforced(facts { $0.accountsSwap = false }) == all.filter { $0 != "swap-max" })
        let verdicts = Diagnosis(facts(), for: configuration).verdicts
        #expect(verdicts.map(\.groups) == [[], ["a"], [], ["b"], [], [], ["b"], [], [], [], []])
    }

    @Test func whatIsAdvised() {
        #expect(Diagnosis(facts(), for: configuration).advice == [])
        let missing = Diagnosis(facts { $0.controllers.removeLast() }, for: configuration).advice
        #expect(missing.count == 1 && missing[0].contains("/sys/fs/cgroup/x/cgroup.controllers"))
        #expect(missing[0].hasSuffix("do this"))
        let refused = Diagnosis(facts { $0.obstacle = "no" }, for: configuration)
        #expect(refused.advice == ["no"] && !refused.isEnforceable)
        let unit = facts {
            $0.systemdRuns = true
            $0.unit = "x.service"
        }
        #expect(Diagnosis(unit, for: configuration).advice.first?.contains("Type=notify") == true)
    }

    @Test func wordsAndJSONHaveTheSame() {
        let diagnosis = Diagnosis(facts { $0.obstacle = "a \"reason\"" }, for: configuration)
        #expect(diagnosis.lines.contains("- a \"reason\""))
        #expect(diagnosis.lines.contains("--memory-max, memory.max: enforced (asked for by a)"))
        let json = String(decoding: diagnosis.json, as: UTF8.self)
        #expect(json.hasPrefix(#"{"enforceable":false,"obstacle":"a \"reason\"","advice":["a \"reason\""],"#))
        #expect(
            json.contains(#""asked_for":["memory-max","group-memory-max","pids-max"]"#)
                && json.hasSuffix("}\n"))
    }
}
