import SergeantCG
import Testing

@Suite struct EnvironmentFiles {
    private func read(_ text: String) throws(ConfigurationFault) -> [String: String] {
        try EnvironmentFile.variables(of: Array(text.utf8), named: "e")
    }

    @Test(
        arguments: [
            ("", [:]), ("\n # x\n;y\n\t\n", [:]), ("A=b", ["A": "b"]),
            ("A=b\r\nC=d\r\n", ["A": "b", "C": "d"]),
            ("  A = b c \nA_1=", ["A": "b c", "A_1": ""]), ("A=b=c", ["A": "b=c"]),
            ("A=b # c", ["A": "b # c"]),
            ("A=\"b \\\"\\\\\\$x \"", ["A": "b \"\\$x "]), ("A='b \\ \"$x'", ["A": "b \\ \"$x"]),
            ("A=1\nA=2", ["A": "2"]), ("A=é", ["A": "é"]),
        ] as [(String, [String: String])])
    func areRead(text: String, variables: [String: String]) throws {
        #expect(try read(text) == variables)
    }

    @Test(arguments: [
        ("x\n", "e:1:1: a line takes"), ("\n=x", "e:2:1: '' cannot be the name"),
        ("1A=x", "cannot be the name"),
        ("A B=x", "cannot be"), ("export A=x", "leave 'export' out"), ("A=\"x", "not closed"),
        ("A='x'y", "behind the closing quote"), ("A=x\\\ny", "cannot go on"), ("A=\u{0}", "not UTF-8"),
    ])
    func areRefused(text: String, words: String) {
        let fault = #expect(throws: ConfigurationFault.self) { try read(text) }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }

    /// Whatever comes, names and values are such as exec takes.
    @Test func anyBytesAreSurvived() {
        var random = SplitMix64(seed: 7)
        let spices = Array("\n\r\t =\"'\\#;$A1_\u{0}".utf8) + [0xC3, 0xFF]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                spices[Int.random(in: 0..<spices.count, using: &random)]
            }
            guard let variables = try? EnvironmentFile.variables(of: bytes, named: "e") else { continue }
            for (name, value) in variables {
                #expect(!name.isEmpty && !name.contains("=") && !(name + value).utf8.contains(0))
            }
        }
    }
}
