/// A number of bytes as a person reads it: binary mebibytes and a tenth of one, `61.2M`.
package struct ByteCount: Hashable, Sendable, CustomStringConvertible {
    package let bytes: UInt64

    package init(_ bytes: UInt64) {
        self.bytes = bytes
    }

    /// In a table: a dash where it is not known.
    package static func cell(_ bytes: UInt64?) -> String { bytes.map { "\(ByteCount($0))" } ?? "-" }

    package var description: String {
        let (whole, rest) = bytes.quotientAndRemainder(dividingBy: 1 << 20)
        return "\(whole).\(rest * 10 / (1 << 20))M"
    }
}
