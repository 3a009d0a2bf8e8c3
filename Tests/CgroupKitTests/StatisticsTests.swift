import CgroupKit
import Testing

@Suite struct StatisticsTests {
    @Test func memoryEventsAreRead() throws {
        let text = "low 1\nhigh 542\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n"
        let events = try #require(MemoryEvents.parse(Array(text.utf8)))
        #expect(events == MemoryEvents(low: 1, high: 542, max: 3, oom: 4, oomKill: 5, oomGroupKill: 6))
    }
}
