import SergeantCG
import Testing

/// What `GetStatus` answers, made of occurrences.
@Suite struct StatusTests {
    private let names = Names(groups: [.init(name: "w")], root: "/r")

    private func id(_ slot: Int, _ number: Int) -> IncarnationID {
        IncarnationID(group: 0, slot: slot, number: number)
    }

    private func end(_ reason: Reason, isLast: Bool = false) -> Occurrence.End {
        Occurrence.End(reason: reason, exit: nil, lifetime: .zero, isLast: isLast)
    }

    private func report(_ standing: Standing, usage: StatusReport.Usage? = nil) throws -> StatusReport {
        var question = StatusQuestion(
            standing, names: names, instance: "i", pid: 7,
            limits: [Limits(memoryThreshold: 40 << 20, memoryMax: 50 << 20)])
        return try #require(question.ask(atMost: 100) { _ in usage })
    }

    private func standing(_ occurrences: [Occurrence], desired: Int = 2) -> Standing {
        var standing = Standing(desired: [desired])
        for (index, occurrence) in occurrences.enumerated() {
            standing.note(occurrence, at: 1_700_000_000_000_000 + Int64(index))
        }
        return standing
    }

    @Test(
        arguments: [
            (0, "0.0M"), (1 << 20, "1.0M"), (62_914_560 + 600_000, "60.5M"), (104_857, "0.0M"),
            (104_858, "0.1M"),
            ((1 << 20) - 1, "0.9M"), (UInt64.max, "17592186044415.9M"),
        ] as [(UInt64, String)])
    func bytesAreTold(bytes: UInt64, text: String) {
        #expect("\(ByteCount(bytes))" == text)
    }

    @Test func aStartIsFollowed() throws {
        var told: [Occurrence] = [.supervisorStarted]
        var now = try report(standing(told))
        #expect(now.state == .starting && now.groups[0].state == .starting)
        #expect(now.groups[0].workers.map(\.state) == [.starting, .starting])
        #expect(now.groups[0].workers.map(\.incarnation) == [0, 0])
        #expect(now.groups[0].workers.map(\.worker) == ["w-1", "w-2"])
        #expect(now.groups[0].workers[0].pid == nil && now.groups[0].workers[0].cgroup == nil)

        told += [
            .workerStarted(id(1, 1), pid: 11, replaces: nil), .workerReady(id(1, 1), pid: 11),
            .workerStarted(id(2, 1), pid: 12, replaces: nil),
        ]
        now = try report(standing(told))
        #expect(now.state == .starting && now.groups[0].ready == 1)
        #expect(now.groups[0].workers.map(\.state) == [.ready, .starting])
        #expect(now.groups[0].workers[1].started == "2023-11-14T22:13:20.000003Z")
        #expect(now.groups[0].workers[1].cgroup == "/r/w/2.1")

        told += [.workerReady(id(2, 1), pid: 12), .supervisorReady]
        now = try report(standing(told))
        #expect(now.state == .ready && now.groups[0].state == .ready && now.groups[0].ready == 2)

        told += [.supervisorStopping(.request), .workerStopping(id(1, 1), pid: 11, .shutdown)]
        told += [.workerExited(id(2, 1), pid: 12, end(.shutdown, isLast: true))]
        now = try report(standing(told))
        #expect(now.state == .stopping && now.groups[0].state == .stopping)
        #expect(now.groups[0].workers.map(\.state) == [.stopping])
        #expect(now.groups[0].workers[0].restarts == ["total": 0])
    }

    /// A successor stands beside the one that it replaces; ends are counted by reason, a shutdown is none.
    @Test func aReplacementIsFollowed() throws {
        var told: [Occurrence] = [
            .workerStarted(id(1, 1), pid: 11, replaces: nil), .workerReady(id(1, 1), pid: 11),
            .workerStarted(id(2, 1), pid: 12, replaces: nil), .workerReady(id(2, 1), pid: 12),
            .supervisorReady, .workerStopping(id(1, 1), pid: 11, .memoryLimit),
            .workerStarted(id(1, 2), pid: 13, replaces: 11),
        ]
        var now = try report(standing(told))
        #expect(now.state == .degraded && now.groups[0].state == .degraded && now.groups[0].ready == 1)
        #expect(now.groups[0].workers.map(\.pid) == [11, 13, 12])
        #expect(now.groups[0].workers.map(\.state) == [.stopping, .starting, .ready])

        told += [
            .workerReady(id(1, 2), pid: 13), .workerExited(id(1, 1), pid: 11, end(.memoryLimit)),
            .workerExited(id(2, 1), pid: 12, end(.crashed)),
            .workerExited(id(2, 2), pid: nil, end(.startFailed)),
            .workerBackoff(SlotID(group: 0, slot: 2), delay: .seconds(1), failures: 1),
        ]
        now = try report(standing(told))
        #expect(now.groups[0].workers.map(\.pid) == [13, nil])
        #expect(now.groups[0].workers[1].state == .waiting && now.groups[0].workers[1].incarnation == 2)
        #expect(now.groups[0].workers[0].restarts == ["total": 1, "memory_limit": 1])
        #expect(now.groups[0].workers[1].restarts == ["total": 2, "crashed": 1, "start_failed": 1])
    }

    /// A thousand cgroups are asked a few at a time, each once, and the answer is of the moment of the question.
    @Test func cgroupsAreAskedInSlices() throws {
        var board = Standing(desired: [100])
        for slot in 1...100 {
            board.note(.workerStarted(id(slot, 1), pid: Int32(slot), replaces: nil), at: 0)
        }
        var question = StatusQuestion(board, names: names, instance: "i", pid: 7, limits: [Limits()])
        var asked: [IncarnationID] = []
        var turns = 0
        var answer: StatusReport?
        while answer == nil, turns < 100 {
            let before = asked.count
            answer = question.ask(atMost: 32) { id in
                asked.append(id)
                return id.slot.slot == 50
                    ? nil : StatusReport.Usage(cpuMicroseconds: UInt64(id.slot.slot), processes: 1)
            }
            #expect(asked.count - before <= 32)
            turns += 1
        }
        #expect(turns == 4)
        #expect(asked == (1...100).map { id($0, 1) })
        let workers = try #require(answer).groups[0].workers
        #expect(workers.map(\.cpuMicroseconds) == (1...100).map { $0 == 50 ? nil : UInt64($0) })
    }

    /// The documented order, and every field: what is not known is null.
    @Test func theJSONIsTheDocumentedOne() throws {
        let told: [Occurrence] = [
            .workerStarted(id(1, 1), pid: 11, replaces: nil), .workerReady(id(1, 1), pid: 11),
            .supervisorReady,
            .workerExited(id(1, 1), pid: 11, end(.oomKilled)),
            .workerStarted(id(1, 2), pid: 12, replaces: 11),
        ]
        let usage = StatusReport.Usage(
            memory: .init(current: 5, unreclaimable: 4, peak: 6), cpuMicroseconds: 1234, processes: 3)
        let report = try report(standing(told, desired: 2), usage: usage)
        var text = JSONText()
        text.object { report.write(to: &$0) }
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == #"{"name":"i","pid":7,"version":"\#(Version.current)","state":"degraded","cgroup":"/r","groups":["#
                + #"{"name":"w","state":"starting","desired":2,"ready":0,"workers":["#
                + #"{"worker":"w-1","slot":1,"incarnation":2,"pid":12,"state":"starting","status":null,"#
                + #""cgroup":"/r/w/1.2","started":"2023-11-14T22:13:20.000004Z","#
                + #""memory":{"current":5,"unreclaimable":4,"peak":6,"limit":41943040,"max":52428800},"#
                + #""cpu_usage_usec":1234,"pids":3,"restarts":{"total":1,"oom_killed":1}},"#
                + #"{"worker":"w-2","slot":2,"incarnation":0,"pid":null,"state":"starting","status":null,"#
                + #""cgroup":null,"started":null,"memory":null,"cpu_usage_usec":null,"pids":null,"#
                + #""restarts":{"total":0}}]}]}"#)
        #expect(StatusReport(json: text.bytes) == report)
        #expect(StatusReport(json: Array("{}".utf8)) == nil)
    }
}
