internal import Glibc
internal import SergeantCG

/// Why the program ends, said where whoever started it looks: the log's descriptor, where there is one, else
/// standard error.
struct LastWord {
    private var descriptor: Int32?
    private var format = LogFormat.auto

    /// - Parameter arguments: the command line as it came, for one that is wrong is what is to be told of.
    init(_ arguments: [String]) {
        let words = Array(arguments.prefix { $0 != "--" })
        if let number = Self.value(of: "--log-fd", in: words).flatMap({ Int32($0) }),
            SupervisorOptions.isInherited(number)
        {
            descriptor = number
        }
        format = Self.value(of: "--log-format", in: words).flatMap(LogFormat.init(rawValue:)) ?? .auto
    }

    private static func value(of option: String, in words: [String]) -> String? {
        if let index = words.lastIndex(of: option) { return words[(index + 1)...].first }
        return words.last { $0.hasPrefix(option + "=") }.map { String($0.dropFirst(option.count + 1)) }
    }

    /// One sentence that a person can act on.
    func say(_ sentence: String) {
        guard let descriptor else {
            // Standard error may be closed; there is nobody else to tell.
            let line = Array("sergeantcg: \(LogLines.escaped(sentence))\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            return
        }
        let log = LogLines(descriptor: descriptor, format: format.lines(on: descriptor))
        log.write(Record(.critical, "supervisor_failed", sentence))
        log.finish()
    }
}
