/// Which commands are listed.
enum Listing {
    /// Those beside `run` are left out of the help, which would not fit a terminal with them; a shell completes them all the
    /// same.
    static let isWhole = CommandLine.arguments.contains("--generate-completion-script")
}
