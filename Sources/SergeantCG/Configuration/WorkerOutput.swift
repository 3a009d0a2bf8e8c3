/// Where what a worker prints goes: its descriptors 1 and 2.
public enum WorkerOutput: Hashable, Sendable, Codable {
    /// Where the supervisor's own go.
    case inherit
    /// To the supervisor's standard output, each line behind the worker's name.
    case prefix
    /// To systemd's journal, each worker under its own name. journald reads it itself.
    case journal
    /// To the end of this file, which is made where it is missing; that of all workers of the group.
    case file(String)

    /// What a person may write, for an error's sentence.
    package static let form = "inherit, prefix, journal, or a file's path with a / in it (./log)"

    /// How it may be written.
    package static let spelling = Spelling.pattern(#"inherit|prefix|journal|[\s\S]*/[\s\S]*"#)

    /// As on a command line; nil for a word that is none of these. A file's path has a `/`, so that a mistyped word
    /// does not become a file.
    public init?(_ text: String) {
        switch text {
        case "inherit": self = .inherit
        case "prefix": self = .prefix
        case "journal": self = .journal
        case _ where text.utf8.contains(UInt8(ascii: "/")) && !text.utf8.contains(0): self = .file(text)
        default: return nil
        }
    }
}
