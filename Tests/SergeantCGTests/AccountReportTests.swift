import SergeantCG
import Testing

@Suite("The report of an account")
struct AccountReportTests {
    private static func line(
        _ group: String, _ reason: String = "finished", peak: UInt64? = nil, cpu: UInt64 = 0,
        limit: UInt64? = nil
    ) -> [UInt8] {
        func written(_ value: UInt64?) -> String { value.map { "\($0)" } ?? "null" }
        let text =
            #"{"started":"2026-11-27T04:00:00.000000Z","group":"\#(group)","worker":"\#(group)-1","slot":1,"#
            + #""incarnation":1,"pid":7,"reason":"\#(reason)","exit_code":0,"signal":null,"oom_kills":0,"#
            + #""lifetime_usec":2000000,"cpu_user_usec":\#(cpu),"cpu_system_usec":1,"memory_peak":\#(written(peak)),"#
            + #""memory_limit":\#(written(limit)),"memory_max":null}"#
        return Array(text.utf8)
    }

    private static func report(_ lines: [[UInt8]]) -> AccountReport {
        var report = AccountReport()
        for line in lines { report.take(line) }
        report.finish()
        return report
    }

    @Test("sums by group, in the order of their names")
    func groups() throws {
        let report = Self.report([
            Self.line("web", cpu: 10), Self.line("crawl", "failed", cpu: 5),
            Self.line("web", "oom_killed", cpu: 20),
        ])
        #expect(report.groups.map(\.name) == ["crawl", "web"])
        let web = report.groups[1]
        #expect(web.count == 2 && web.cpuMicroseconds == 32)
        #expect(web.ends == ["finished": 1, "oom_killed": 1])
        #expect(web.peak(0.5) == nil && web.memoryLimit == nil)
    }

    @Test("the smallest peak that so many did not go beyond", arguments: [1, 2, 20, 100])
    func peaks(_ count: Int) throws {
        let report = Self.report(
            (1...count).reversed().map { Self.line("g", peak: UInt64($0) * 1000, limit: 9) })
        let group = try #require(report.groups.first)
        for share in [0.01, 0.5, 0.95, 1] {
            let expected = UInt64((share * Double(count)).rounded(.up)) * 1000
            #expect(group.peak(share) == max(expected, 1000))
        }
        #expect(group.memoryLimit == 9)
    }

    @Test("counts what it cannot read, and goes on")
    func torn() {
        let torn = Array(Self.line("g").dropLast(20))
        let report = Self.report([
            torn, Self.line("g"), Array("{}".utf8), [0xFF, 0], [], Self.line("g", cpu: .max),
        ])
        #expect(report.unreadable == 4)
        #expect(report.groups.first?.count == 2)
        #expect(report.groups.first?.cpuMicroseconds == .max)
    }

    @Test("draws every peak once, and the limits")
    func picture() {
        let report = Self.report((1...300).map { Self.line("a<b", peak: UInt64($0) << 20, limit: 400 << 20) })
        let svg = PeakHistogram(report).svg
        let bars = svg.split(separator: "<title>").dropFirst().compactMap { Int($0.prefix { $0 != "<" }) }
        #expect(bars.reduce(0, +) == 300)
        #expect(svg.contains("a&lt;b") && !svg.contains("a<b"))
        #expect(svg.contains("recycled at 400.0M") && !svg.contains("killed at"))
        #expect(PeakHistogram(Self.report([])).svg.contains("no peak"))
    }
}
