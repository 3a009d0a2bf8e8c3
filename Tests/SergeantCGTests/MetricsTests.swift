import SergeantCG
import Testing

@Suite("Metrics")
struct MetricsTests {
    private static func report(_ workers: [String], name: String = "n") throws -> StatusReport {
        let text =
            #"{"name":"\#(name)","pid":7,"version":"1","state":"degraded","cgroup":"/c","groups":[{"name":"g","#
            + #""state":"degraded","desired":2,"ready":1,"workers":[\#(workers.joined(separator: ","))]}]}"#
        return try #require(StatusReport(json: Array(text.utf8)))
    }

    private static func worker(_ slot: Int, _ incarnation: Int, _ state: String, memory: String = "null")
        -> String
    {
        #"{"worker":"g-\#(slot)","slot":\#(slot),"incarnation":\#(incarnation),"pid":70,"state":"\#(state)","#
            + #""status":null,"cgroup":null,"started":"2026-11-27T04:00:00.250000Z","memory":\#(memory),"#
            + #""cpu_usage_usec":1000002,"pids":null,"restarts":{"total":3,"crashed":1,"oom_killed":2}}"#
    }

    private static func lines(_ report: StatusReport, _ format: MetricFamily.Format = .openmetrics)
        -> [String]
    {
        Metrics(report).text(format).split(separator: "\n").map(String.init)
    }

    @Test("a slot is told once, by the one that stays")
    func successor() throws {
        let memory =
            #"{"current":1099511627776,"unreclaimable":null,"peak":2199023255552,"limit":null,"max":null}"#
        let lines = Self.lines(
            try Self.report([Self.worker(1, 4, "stopping"), Self.worker(1, 5, "ready", memory: memory)]))
        #expect(
            lines.filter { $0.hasPrefix("sergeantcg_worker_ready{") } == [
                #"sergeantcg_worker_ready{group="g",slot="1"} 1"#
            ])
        #expect(lines.contains(#"sergeantcg_group_workers{group="g",state="stopping"} 1"#))
        #expect(lines.contains(#"sergeantcg_worker_memory_bytes{group="g",slot="1"} 1099511627776"#))
        #expect(lines.contains(#"sergeantcg_worker_cpu_seconds_total{group="g",slot="1"} 1.000002"#))
        #expect(lines.contains(#"sergeantcg_worker_start_time_seconds{group="g",slot="1"} 1795752000.25"#))
        #expect(
            lines.contains(#"sergeantcg_worker_restarts_total{group="g",slot="1",reason="oom_killed"} 2"#))
        #expect(!lines.contains { $0.contains("total\"") })
    }

    @Test("what is not known is not told, nor announced")
    func unknown() throws {
        let lines = Self.lines(try Self.report([Self.worker(2, 1, "ready")]))
        #expect(!lines.contains { $0.contains("_memory_") || $0.contains("processes") })
        #expect(lines.contains("sergeantcg_ready 0"))
    }

    @Test("each format announces a counter and ends as it must")
    func formats() throws {
        let report = try Self.report([Self.worker(1, 1, "ready")])
        let open = Self.lines(report), older = Self.lines(report, .prometheus)
        #expect(open.last == "# EOF" && !older.contains("# EOF"))
        #expect(open.contains("# TYPE sergeantcg_worker_restarts counter"))
        #expect(older.contains("# TYPE sergeantcg_worker_restarts_total counter"))
        #expect(open.filter { !$0.hasPrefix("#") } == older.filter { !$0.hasPrefix("#") })
    }

    @Test("a name may have any character")
    func escapes() throws {
        let lines = Self.lines(try Self.report([], name: #"a\"b\\c\nd"#))
        #expect(lines.contains(#"sergeantcg_build_info{name="a\"b\\c\nd",version="1"} 1"#))
    }
}
