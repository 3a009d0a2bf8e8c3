import Glibc
import SupervisorHarness
import Testing

extension NativeSupervisor {
    /// Reloads and scales, hundreds of them.
    @Suite struct Changes {
        /// A pool as its file has it, and as it is scaled.
        private struct Pool {
            var groups: [String: (workers: Int, seconds: Int)] = ["a": (2, 600), "b": (3, 600)]
            /// Scaled beyond the file, until the next reload.
            var scaled: [String: Int] = [:]

            var desired: [String: Int] { groups.mapValues(\.workers).merging(scaled) { $1 } }

            /// Two workers that never rest are the load.
            var yaml: String {
                let lines = groups.sorted { $0.key < $1.key }.map { name, group in
                    "  \(name): {command: [/bin/sleep, \"\(group.seconds)\"], concurrent-workers: \(group.workers)}\n"
                }
                return
                    "groups:\n  busy: {command: [/bin/sh, -c, \"while :; do :; done\"], concurrent-workers: 2}\n"
                    + lines.joined()
            }
        }

        /// SplitMix64 (Steele, Lea, Flood 2014): the same seed makes the same choices.
        private struct Chance: RandomNumberGenerator {
            var state: UInt64

            mutating func next() -> UInt64 {
                state &+= 0x9E37_79B9_7F4A_7C15
                var bits = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
                bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
                return bits ^ (bits >> 31)
            }
        }

        /// Which process each worker is, by name.
        private static func workers(_ supervisor: SupervisorProcess) throws -> [String: Int64] {
            let (status, output) = try Tool.sergeantcg("status", "--json", "--name", supervisor.name)
            guard status == .code(0), let answer = JSONValue.parse(output.utf8),
                case .list(let groups)? = answer["groups"]
            else { throw HarnessFailure("status: \(output)") }
            var workers: [String: Int64] = [:]
            for group in groups {
                guard case .list(let list)? = group["workers"] else { continue }
                for worker in list where worker["state"]?.text != "stopping" {
                    guard let name = worker["worker"]?.text, let pid = worker["pid"]?.integer else {
                        throw HarnessFailure("a worker without a process: \(worker)")
                    }
                    guard workers.updateValue(pid, forKey: name) == nil else {
                        throw HarnessFailure("\(name) is there twice: \(output)")
                    }
                }
            }
            return workers
        }

        /// After each of 200 reloads and scales (400 with both seeds), in random order and under load: the workers are those that were asked
        /// for, whoever the change is not about is the same process as before, and a file that is refused changes nothing.
        @Test(arguments: [1, 2] as [UInt64]) func onlyWhatWasAskedForChanges(seed: UInt64) throws {
            var chance = Chance(state: seed)
            let file = "/tmp/sergeantcg-test-\(getpid())-changes.yaml"
            defer { unlink(file) }
            var pool = Pool()
            func write(_ text: String) throws {
                unlink(file)
                try #require(TextFile.write(text, to: file, creating: true) == 0)
            }
            try write(pool.yaml)
            try withSupervisor(Launch(["--config", file, "--stop-timeout", "2"])) { supervisor in
                try supervisor.waitFor("supervisor_ready")
                var before = try Self.workers(supervisor)
                var refused = 0
                for _ in 0..<200 {
                    var next = pool
                    var rolled: String?
                    let isReload = Bool.random(using: &chance)
                    let name = ["a", "b", "c", "d"].randomElement(using: &chance) ?? "a"
                    if isReload {
                        next.scaled = [:]
                        switch Int.random(in: 0..<5, using: &chance) {
                        case 0: next.groups[name] = nil
                        case 1 where next.groups[name] != nil:
                            next.groups[name]?.seconds += 1
                            rolled = name
                        default:
                            next.groups[name, default: (0, 600)].workers = Int.random(
                                in: 1...4, using: &chance)
                        }
                        let isBroken = Int.random(in: 0..<5, using: &chance) == 0
                        try write(next.yaml + (isBroken ? "  e: {comand: [x]}\n" : ""))
                        let done = try Tool.sergeantcg("reload", "--name", supervisor.name)
                        #expect(done.status == .code(isBroken ? 1 : 0), "\(done.output)")
                        if isBroken {
                            refused += 1
                            next = pool
                            rolled = nil
                        }
                    } else {
                        let workers = Int.random(in: 0...5, using: &chance)
                        let done = try Tool.sergeantcg("scale", name, "\(workers)", "--name", supervisor.name)
                        #expect(done.status == .code(next.groups[name] == nil ? 1 : 0), "\(done.output)")
                        if next.groups[name] != nil { next.scaled[name] = workers }
                    }
                    var expected = Set(["busy-1", "busy-2"])
                    for (name, count) in next.desired where count > 0 {
                        expected.formUnion((1...count).map { "\(name)-\($0)" })
                    }
                    var now: [String: Int64] = [:]
                    try supervisor.waitUntil("the workers are \(expected.sorted())") {
                        guard let found = try? Self.workers(supervisor) else { return false }
                        now = found
                        return Set(found.keys) == expected
                    }
                    for (worker, pid) in before where now[worker] != nil {
                        let group = String(worker.prefix { $0 != "-" })
                        // One that went and came again with its group is another.
                        guard group != rolled, pool.desired[group] != nil else { continue }
                        #expect(now[worker] == pid, "\(worker): \(pool.groups) \(next.groups) \(next.scaled)")
                    }
                    if let rolled {
                        for (worker, pid) in now where worker.hasPrefix("\(rolled)-") {
                            #expect(before[worker] != pid, "\(worker) was not replaced")
                        }
                    }
                    (before, pool) = (now, next)
                }
                #expect(refused > 0)
                #expect(!supervisor.lines.contains { $0.event == "supervisor_trouble" })
                #expect(try supervisor.stop() == .code(0))
                expectNothingLeft(supervisor)
            }
        }
    }
}
