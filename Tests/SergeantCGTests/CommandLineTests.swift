import ArgumentParser
import SergeantCommand
import Testing

@Suite struct CommandLines {
    @Test(arguments: [
        ("", ""), ("--", "--"), ("-- a b", "-- a b"), ("-- --help", "-- --help"),
        ("--concurrent-worker=4 -- a", "--concurrent-workers=4 -- a"),
        ("--con 4 -- a", "--concurrent-workers 4 -- a"),
        ("--worker-m m --worker-c C", "--worker-module m --worker-class C"),
        ("--max=100_000_000 -- a", "--max-worker-memory-usage=100_000_000 -- a"),
        ("--max-failures 3/10 -- a", "--max-failures 3/10 -- a"),
        // Not unambiguous, or not upstream's: left for the parser to refuse.
        ("--worker m", "--worker m"), ("--mem 1 -- a", "--mem 1 -- a"), ("-c 1 -- a", "-c 1 -- a"),
        ("run --con 4 -- run", "run --concurrent-workers 4 -- run"),
        ("help run", "help run"), ("--help", "--help"),
        ("--legacy-exit-codes -- a", "--legacy-exit-codes -- a"),
        // A value is not looked at.
        ("--name run -- a", "--name run -- a"), ("--name --con -- a", "--name --con -- a"),
        ("--name -- a", "--name -- a"),
        ("--worker-module=--con --worker-class C", "--worker-module=--con --worker-class C"),
    ])
    func areMadeOurs(line: String, expected: String) throws {
        let words = line.split(separator: " ").map(String.init)
        #expect(try UpstreamArguments.normalised(words) == expected.split(separator: " ").map(String.init))
    }

    @Test(arguments: [
        ("./worker", "sergeantcg -- ./worker"), ("run ./worker --flag", "sergeantcg run -- ./worker --flag"),
        ("--concurrent-workers 2 ./worker a", "sergeantcg --concurrent-workers 2 -- ./worker a"),
        ("--legacy-exit-codes ./worker", "sergeantcg --legacy-exit-codes -- ./worker"),
        ("./worker -- a", "'./worker' belongs to no option"), ("rnu -- a", "Did you mean 'run'?"),
        ("./a $b", "sergeantcg -- ./a '$b'"),
    ])
    func aMissingSeparatorIsSuggested(line: String, suggestion: String) {
        let words = line.split(separator: " ").map(String.init)
        let error = #expect(throws: ValidationError.self) { try UpstreamArguments.normalised(words) }
        #expect(error?.message.contains(suggestion) == true, "\(error?.message ?? "")")
    }

    @Test func anyWordsAreSurvived() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "--", "-", "", "=", "--=", "run", "help", "--worker-", "--con=", "--max", "é", "\u{0}", "a b",
            "--help", "---",
        ]
        for _ in 0..<20_000 {
            let words = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            _ = try? UpstreamArguments.normalised(words)
        }
    }
}
