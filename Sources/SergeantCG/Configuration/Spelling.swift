/// How a value may be written in a configuration file, declared beside the function that reads it. The file's JSON
/// Schema is made of these, so it says what a schema can say of what the reader takes.
package enum Spelling: Hashable, Sendable {
    /// Any text with so many characters at least.
    case text(least: Int = 0)
    /// A text that this regular expression matches whole.
    ///
    /// - Parameter numbers: which of these texts an editor takes for numbers.
    case pattern(String, numbers: Numbers? = nil)
    /// One of these.
    case words([String])
    /// `true` or `false`.
    case flag
    /// Names with values: how each kind of name is written, and the values of that kind.
    case named([Name])

    /// What a number may be where an editor has read one: no spelling is left of it.
    package enum Numbers: Hashable, Sendable {
        /// Each is a text like any other, and so are `true` and `false`.
        case any
        /// A whole number of this range; or 0, which switches a limit off, and those from `least` on.
        case whole(ClosedRange<UInt64>, least: UInt64 = 0)
        /// A number up to this one; or 0 and those from `least` on, a number as JSON has it.
        case decimal(upTo: UInt64, least: String)
        /// A number below this one.
        case decimalBelow(UInt64)
    }

    /// A kind of names.
    package struct Name: Hashable, Sendable {
        /// What the name matches whole.
        package var pattern: String
        package var value: Spelling
    }

    /// A text that has no control character and no slash, as a directory's name. The bytes that it may have are
    /// counted as characters.
    package static func directoryName(except refused: String) -> Spelling {
        .pattern("(?!(?:\(refused)))[^/\\u0000-\\u001f\\u007f-\\u009f]{1,200}", numbers: .any)
    }

    /// This word in capital letters, small ones, or both.
    package static func anyCase(_ word: String) -> String {
        word.map { letter in
            let (upper, lower) = (letter.uppercased(), letter.lowercased())
            return upper == lower ? "\(letter)" : "[\(upper)\(lower)]"
        }.joined()
    }
}
