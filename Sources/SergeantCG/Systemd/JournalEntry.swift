/// One entry for journald's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/), as bytes.
package struct JournalEntry: Sendable {
    /// What is sent: one datagram, or the contents of a memory file.
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Begins with what another has.
    package init(beginningAs other: JournalEntry) {
        bytes = other.bytes
    }

    /// Adds a field. The same name may be added again: the entry then has all the values.
    ///
    /// A name that journald would refuse is left out, with its value.
    package mutating func add(_ name: String, _ value: String) {
        guard Self.isFieldName(name) else { return }
        bytes.append(contentsOf: name.utf8)
        var value = value
        value.withUTF8 { text in
            if text.contains(UInt8(ascii: "\n")) {
                bytes.append(UInt8(ascii: "\n"))
                withUnsafeBytes(of: UInt64(text.count).littleEndian) { bytes.append(contentsOf: $0) }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes.append(contentsOf: text)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Upper-case letters, digits and `_`; at most 64; a leading `_` is journald's own, a leading digit nobody's.
    package static func isFieldName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 64 else { return false }
        return UInt8(ascii: "A")...UInt8(ascii: "Z") ~= first
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
