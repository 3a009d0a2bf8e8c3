import FuzzedParsers
import Glibc
import SupervisorHarness
import Testing

/// What scripts/fuzz found worth keeping is tried each time, and so is each of its beginnings.
@Suite struct CorpusTests {
    private static let root =
        "\(#filePath)".split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Fuzzing/Corpus"

    @Test(arguments: FuzzedParser.all.map(\.name)) func isSurvived(name: String) throws {
        let parser = try #require(FuzzedParser.all.first { $0.name == name })
        let inputs = try Self.inputs(of: name)
        #expect(!inputs.isEmpty, "there is no corpus of \(name)")
        for bytes in inputs {
            let start = ContinuousClock.now
            parser.run(bytes)
            #expect(ContinuousClock.now - start < .seconds(5))
            for end in 0..<min(bytes.count, 256) { parser.run(Array(bytes[..<end])) }
        }
    }

    /// A corpus that no parser has any more is a parser that is not tried.
    @Test func everyCorpusHasAParser() throws {
        let names = try #require(TextFile.names(in: Self.root))
        #expect(Set(names) == Set(FuzzedParser.all.map(\.name)))
    }

    private static func inputs(of parser: String) throws -> [[UInt8]] {
        let names = try #require(TextFile.names(in: "\(root)/\(parser)"))
        return try names.map { name in
            let file = try #require(fopen("\(root)/\(parser)/\(name)", "re"))
            defer { fclose(file) }
            return [UInt8](unsafeUninitializedCapacity: 1 << 16) {
                $1 = fread($0.baseAddress, 1, 1 << 16, file)
            }
        }
    }
}
