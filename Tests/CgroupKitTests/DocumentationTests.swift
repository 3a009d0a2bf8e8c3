import Glibc
import Testing

/// The example on the documentation's page is the code that a native test runs.
@Suite struct DocumentationTests {
    private func lines(of path: String) throws -> [String] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try #require(fopen("/\(root)/\(path)", "r"), "cannot open \(path)")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
        return String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    }

    /// The lines after the first that is `start`, up to the next that is `end`, without indentation of the first.
    private func block(_ lines: [String], from start: String, to end: String) throws -> [String] {
        func isMark(_ line: String, _ mark: String) -> Bool { line.drop { $0 == " " } == mark }
        let begin = try #require(lines.firstIndex { isMark($0, start) })
        let rest = lines[(begin + 1)...].prefix { !isMark($0, end) }
        let indentation = rest.first?.prefix { $0 == " " }.count ?? 0
        return rest.map { String($0.dropFirst(indentation)) }
    }

    @Test func theExampleIsTheOneThatRuns() throws {
        let page = try block(
            lines(of: "Sources/CgroupKit/CgroupKit.docc/CgroupKit.md"), from: "```swift", to: "```")
        let test = try block(
            lines(of: "Tests/NativeCgroupTests/ExampleTests.swift"), from: "// BEGIN EXAMPLE",
            to: "// END EXAMPLE")
        #expect(page.count > 10)
        #expect(page == test)
    }
}
