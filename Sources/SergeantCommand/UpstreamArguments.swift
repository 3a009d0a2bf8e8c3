internal import ArgumentParser
internal import SergeantCG

/// Makes upstream's command line, and common slips, into ours before it is parsed.
///
/// Upstream takes unambiguous prefixes of its four flags (its own documentation writes
/// `--concurrent-worker=`). And a command without `--` before it would have its own options taken for ours.
package enum UpstreamArguments {
    private static let upstream = [
        "--concurrent-workers", "--worker-class", "--worker-module", "--max-worker-memory-usage",
    ]

    /// The flags that take no value.
    private static let bare = Set(
        ["--help", "-h", "--version", "--help-hidden"]
            + Setting.all.filter { $0.shape == .flag }.map { "--\($0.name)" })

    /// Those whose words are not of `run`: they are left as they are.
    private static let others = Set(
        ["help"]
            + Sergeantcg.configuration.subcommands.filter { $0 != Run.self }.map {
                $0._commandName
            })

    /// - Throws: a usage error where a command stands without `--`.
    package static func normalised(_ arguments: [String]) throws -> [String] {
        var result: [String] = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if argument == "--" {
                result.append(contentsOf: arguments[index...])
                break
            }
            index += 1
            if index == 1, argument == "run" {
                result.append(argument)
                continue
            }
            if index == 1, others.contains(argument) { return arguments }
            guard argument.hasPrefix("-"), argument != "-" else {
                throw stray(argument, before: arguments[..<(index - 1)], after: arguments[index...])
            }
            let name = String(argument.prefix { $0 != "=" })
            let whole = complete(name)
            result.append(whole + argument.dropFirst(name.count))
            if let meant = Misspelling.meant(by: name, of: ["--help", "--version"]) {
                throw ValidationError("Unknown option '\(name)'. Did you mean '\(meant)'?")
            }
            if argument.contains("=") || bare.contains(whole) { continue }
            guard index < arguments.count, arguments[index] != "--" else { continue }
            result.append(arguments[index])
            index += 1
        }
        return result
    }

    /// A word that belongs to no option and does not stand after `--`.
    private static func stray(
        _ word: String, before: ArraySlice<String>, after: ArraySlice<String>
    ) -> ValidationError {
        if before.isEmpty, let meant = Misspelling.meant(by: word, of: others.union(["run"]).sorted()) {
            return ValidationError("Unknown subcommand '\(word)'. Did you mean '\(meant)'?")
        }
        if after.contains("--") {
            return ValidationError(
                "The word '\(word)' belongs to no option: the worker's command, all of it, goes after --")
        }
        let words = ["sergeantcg"] + before + ["--", word] + after
        let line = words.map(ShellWord.quoted).joined(separator: " ")
        return ValidationError("Put -- before the worker's command: \(line)")
    }

    private static func complete(_ name: String) -> String {
        guard name.hasPrefix("--"), name.count > 3 else { return name }
        let matches = upstream.filter { $0.hasPrefix(name) }
        return matches.count == 1 ? matches[0] : name
    }
}
