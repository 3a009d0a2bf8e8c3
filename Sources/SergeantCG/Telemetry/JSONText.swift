/// Writes JSON bytes in the order given. `JSONEncoder` reorders keys; a log wants its own order.
package struct JSONText {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// A value of its own, or the next element of an array.
    package mutating func object(_ body: (inout JSONText) -> Void) {
        separate()
        enclose("{", "}", body)
    }

    package mutating func member(_ name: String, _ value: Record.Value) {
        self.name(name)
        self.value(value)
        needsComma = true
    }

    /// Nil writes `null`.
    package mutating func member(_ name: String, optional value: Record.Value?) {
        guard let value else { return member(name, verbatim: Array("null".utf8)) }
        member(name, value)
    }

    package mutating func member(_ name: String, object body: (inout JSONText) -> Void) {
        self.name(name)
        enclose("{", "}", body)
    }

    package mutating func member(_ name: String, array body: (inout JSONText) -> Void) {
        self.name(name)
        enclose("[", "]", body)
    }

    /// A value that is JSON already.
    package mutating func member(_ name: String, verbatim value: [UInt8]) {
        self.name(name)
        bytes.append(contentsOf: value)
        needsComma = true
    }

    package mutating func newline() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func name(_ name: String) {
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func enclose(
        _ start: Unicode.Scalar, _ end: Unicode.Scalar, _ body: (inout JSONText) -> Void
    ) {
        bytes.append(UInt8(ascii: start))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: end))
        needsComma = true
    }

    private mutating func value(_ value: Record.Value) {
        switch value {
        case .text(let text): string(text)
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .unsigned(let number): bytes.append(contentsOf: String(number).utf8)
        case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .texts(let texts):
            bytes.append(UInt8(ascii: "["))
            for (index, text) in texts.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                string(text)
            }
            bytes.append(UInt8(ascii: "]"))
        }
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: #"\r"#.utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: #"\u00"#.utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
