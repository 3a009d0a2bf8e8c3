import FoundationEssentials
import SupervisionSimulation
import Testing

@Suite("The tables of the page \"The life of an incarnation\"")
struct TableTests {
    private let truth = LifeTable.rows() + SlotTable.rows()
    private let page: [TableRow]
    private let text: String

    init() throws {
        let place = "/Sources/Supervision/Supervision.docc/Life.md"
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        text = try String(contentsOfFile: root + place, encoding: .utf8)
        page = TableText.read(text)
    }

    @Test("say what the code does, pair by pair: nothing missing, surplus, double or wrong")
    func holds() {
        #expect(TableText.differences(page: page, truth: truth) == [])
    }

    @Test("cover every phase with everything that can come")
    func isWhole() {
        #expect(LifeTable.usualPairs == LifeTable.phases * LifeTable.stimulusCount)
        #expect(page.count > 350)
        #expect(!text.contains("the path led"))
    }

    @Test("are found wanting without a row", arguments: [0, 17, 100, 311])
    func missing(_ index: Int) {
        var page = page
        let row = page.remove(at: index)
        #expect(TableText.differences(page: page, truth: truth) == ["missing: \(row.pair)"])
    }

    @Test("are found wanting with a row too many")
    func surplus() {
        var row = page[3]
        row.when = "on Sundays"
        #expect(TableText.differences(page: page + [row], truth: truth) == ["surplus: \(row.pair)"])
        #expect(TableText.differences(page: page + [page[3]], truth: truth) == ["double: \(page[3].pair)"])
    }

    @Test("are found wanting with a wrong cell", arguments: [0, 1, 2])
    func wrong(_ cell: Int) {
        var page = page
        let now = page[0].cells
        page[0].cells[cell] = "something else"
        #expect(
            TableText.differences(page: page, truth: truth) == [
                "wrong: \(page[0].pair): \(page[0].cells), is \(now)"
            ])
    }

    @Test("are read from the page's own text")
    func readsTheText() {
        let altered = text.replacing(
            "| kill; deadline | – | killing | kill, timer 2 s | – |",
            with: "| kill | – | killing | kill, timer 2 s | – |")
        #expect(altered != text)
        #expect(
            TableText.differences(page: TableText.read(altered), truth: truth) == [
                "missing: draining × deadline"
            ])
    }
}
