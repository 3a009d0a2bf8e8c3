import SergeantCG
import Testing

@Suite struct YAMLTexts {
    private func text(_ node: YAMLNode?) -> String {
        switch node?.content {
        case .text(let text, let isPlain): isPlain ? text : "'\(text)'"
        case .list(let items): "[" + items.map { self.text($0) }.joined(separator: ",") + "]"
        case .map(let entries):
            "{" + entries.map { "\($0.key):\(self.text($0.value))" }.joined(separator: ",") + "}"
        case nil: "nothing"
        }
    }

    @Test(arguments: [
        ("", "nothing"), ("# only a comment\n", "nothing"), ("---\n", ""), ("a", "a"), ("'a'", "'a'"),
        ("a: 1\nb: [x, \"y\", 010]\n", "{a:1,b:[x,'y',010]}"),
        ("a:\n  - b: c\n    d: no\n  - ~\n", "{a:[{b:c,d:no},~]}"),
        ("a: |\n  one\n  two\n", "{a:'one\ntwo\n'}"), ("\u{FEFF}a: é\r\nb: ☃", "{a:é,b:☃}"),
        ("a: {}\nb: []\nc:", "{a:{},b:[],c:}"), ("\"a\\tb\": \"\\u263a\"", "{a\tb:'☺'}"),
    ])
    func areRead(yaml: String, expected: String) throws {
        #expect(text(try YAML.read(Array(yaml.utf8))) == expected)
    }

    @Test func knowTheirPlaces() throws {
        let document = try #require(try YAML.read(Array("é: ü\nabc:\n  - x\n  - {k: [v]}\n".utf8)))
        guard case .map(let entries) = document.content, case .list(let items) = entries[1].value.content
        else { return #expect(Bool(false), "\(document)") }
        #expect(entries[0].value.place == TextPlace(line: 1, column: 4))
        #expect(entries[1].place == TextPlace(line: 2, column: 1))
        #expect(items.map(\.place) == [TextPlace(line: 3, column: 5), TextPlace(line: 4, column: 5)])
    }

    static let faults: [(yaml: [UInt8], line: Int, column: Int, words: String)] = [
        (Array("a: 1\nb: 2\na: 3".utf8), 3, 1, "'a' is there twice, first in line 1"),
        (Array("a: {b: 1, b: 2}".utf8), 1, 11, "'b' is there twice"),
        (Array("a: &x 1".utf8), 1, 4, "anchor"), (Array("a: *x".utf8), 1, 4, "alias"),
        (Array("a: &x [1]\nb: *x".utf8), 1, 4, "anchor"), (Array("a: &x {b: 1}".utf8), 1, 4, "anchor"),
        (Array("a: !!str 1".utf8), 1, 4, "tag"), (Array("!x\na: 1".utf8), 1, 1, "tag"),
        (Array("a: 1\n---\nb: 1".utf8), 2, 1, "second document"),
        (Array("a: 1\n...\nb: 1".utf8), 3, 1, "belongs to nothing before it"),
        (Array("a:\n\tb: 1".utf8), 2, 1, "a tab cannot indent"),
        (Array("a: 1\n\tb: 1".utf8), 2, 1, "a tab cannot indent"),
        (Array("a: [1".utf8), 1, 6, "not YAML"), (Array("a: {".utf8), 1, 5, "not YAML"),
        (Array("a: \"b".utf8), 1, 6, "not YAML"), (Array("a: b: c".utf8), 1, 5, "not YAML"),
        (Array("a: 1\n b: 2".utf8), 2, 3, "not YAML"), (Array("- a\nb".utf8), 2, 2, "not YAML"),
        (Array("? [a]\n: b".utf8), 1, 3, "a key is a word"),
        (Array("{a: 1}: b".utf8), 1, 1, "a key is a word"),
        (Array("a: \"x\\0y\"".utf8), 1, 4, "NUL"), (Array("a: \"\\ud800\"".utf8), 1, 7, "not YAML"),
        (Array("a: b\u{0}".utf8), 1, 5, "control character"),
        (Array("a: b\nc: \u{7}".utf8), 2, 4, "control character"),
        (Array("a: ".utf8) + [0xFF], 1, 4, "UTF-8"), (Array("é: ".utf8) + [0xC3], 1, 4, "UTF-8"),
        (Array("é: ".utf8) + [0xED, 0xA0, 0x80], 1, 4, "UTF-8"), ([0xFF, 0xFE, 0x61, 0], 1, 1, "UTF-8"),
        (Array(String(repeating: "[", count: 100_000).utf8), 1, 17, "nested more than 16 deep"),
        (Array(String(repeating: "{a: ", count: 100_000).utf8), 1, 65, "nested more than 16 deep"),
        (Array(String(repeating: "- ", count: 100_000).utf8), 1, 33, "nested more than 16 deep"),
    ]

    @Test(arguments: faults.indices) func areRefused(index: Int) {
        let (yaml, line, column, words) = Self.faults[index]
        let fault = #expect(throws: TextFault.self) { try YAML.read(yaml) }
        #expect(fault?.sentence.contains(words) == true, "\(fault?.sentence ?? "")")
        #expect(fault?.place == TextPlace(line: line, column: column))
        #expect(fault?.sentence.contains("\n") == false)
    }

    /// The document that is a few lines and would be billions.
    @Test func laughAtNobody() {
        var yaml = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for (name, last) in zip("bcdefghi", "abcdefgh") {
            yaml += "\(name): &\(name) [\((0..<9).map { _ in "*\(last)" }.joined(separator: ", "))]\n"
        }
        #expect(throws: TextFault.self) { try YAML.read(Array(yaml.utf8)) }
    }
}
