/// Paths by their bytes, as the kernel reads them. To `Character` a slash with a combining mark behind it is one letter,
/// and no slash: `..` would hide before it.
package enum PathText {
    private static let slash = UInt8(ascii: "/")

    /// The names between the slashes; empty ones are left out.
    package static func components(of path: some StringProtocol) -> [String] {
        path.utf8.split(separator: slash).map { String(decoding: $0, as: UTF8.self) }
    }

    /// It begins at the root.
    package static func isAbsolute(_ path: some StringProtocol) -> Bool { path.utf8.first == slash }

    /// Where the last slash is.
    package static func lastSlash(in path: String) -> String.Index? { path.utf8.lastIndex(of: slash) }
}
