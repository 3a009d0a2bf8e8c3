/// What is wrong with a configuration file, and where.
package struct ConfigurationFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// As it was named.
    package var file: String
    /// Nil where it is the file as a whole.
    package var place: TextPlace?
    package var sentence: String

    package init(file: String, place: TextPlace? = nil, _ sentence: String) {
        self.file = file
        self.place = place
        self.sentence = sentence
    }

    /// `FILE:LINE:COLUMN: sentence`, as compilers and editors have it.
    package var description: String {
        guard let place else { return "\(file): \(sentence)" }
        return "\(file):\(place.line):\(place.column): \(sentence)"
    }
}
