internal import ArgumentParser

/// Makes upstream's command line, and common slips, into ours before it is parsed.
///
/// Upstream takes unambiguous prefixes of its four flags (its own documentation writes
/// `--concurrent-worker=`). And a command without `--` before it would have its own options taken for ours.
package enum UpstreamArguments {
    private static let upstream = [
        "--concurrent-workers", "--worker-class", "--worker-module", "--max-worker-memory-usage",
    ]

    /// The flags that take no value.
    private static let bare: Set<String> = [
        "--legacy-exit-codes", "--help", "-h", "--version", "--help-hidden", "--generate-completion-script",
    ]

    private static let subcommands: Set<String> = ["run", "help"]

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
            if index == 1, subcommands.contains(argument) {
                result.append(argument)
                if argument == "help" {
                    result.append(contentsOf: arguments[index...])
                    break
                }
                continue
            }
            guard argument.hasPrefix("-"), argument != "-" else {
                let command = arguments[(index - 1)...].filter { $0 != "--" }.joined(separator: " ")
                let before = arguments[..<(index - 1)].map { $0 + " " }.joined()
                throw ValidationError("Put -- before the worker's command: sergeantcg \(before)-- \(command)")
            }
            let name = String(argument.prefix { $0 != "=" })
            let whole = complete(name)
            result.append(whole + argument.dropFirst(name.count))
            if argument.contains("=") || bare.contains(whole) { continue }
            guard index < arguments.count, arguments[index] != "--" else { continue }
            result.append(arguments[index])
            index += 1
        }
        return result
    }

    private static func complete(_ name: String) -> String {
        guard name.hasPrefix("--"), name.count > 3 else { return name }
        let matches = upstream.filter { $0.hasPrefix(name) }
        return matches.count == 1 ? matches[0] : name
    }
}
