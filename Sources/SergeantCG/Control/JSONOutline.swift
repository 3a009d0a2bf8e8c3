/// Where the members of a JSON object lie in its bytes, found without recursion: a decoder that recurses is given
/// only what is nested no deeper than it can bear.
///
/// It says nothing of whether what is inside a member is JSON.
package struct JSONOutline {
    /// The members of the outermost object: name, without escapes undone, and where the value lies.
    package private(set) var members: [(name: String, value: Range<Int>)] = []

    /// Nil where the bytes are no UTF-8, no single object, or nested deeper than `deepest`.
    package init?(_ bytes: [UInt8], deepest: Int) {
        guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
        var scanner = Scanner(bytes: bytes)
        guard let members = scanner.object(deepest: deepest) else { return nil }
        self.members = members
    }

    /// Where the elements of an array lie that is a part of these bytes; nil where it is none, or nested deeper than
    /// `deepest`.
    package static func elements(of range: Range<Int>, in bytes: [UInt8], deepest: Int) -> [Range<Int>]? {
        var scanner = Scanner(bytes: bytes)
        scanner.place = range.lowerBound
        return scanner.array(deepest: deepest)
    }

    /// Where the value of the first member of this name lies.
    package subscript(name: String) -> Range<Int>? {
        members.first { $0.name == name }?.value
    }
}

private struct Scanner {
    let bytes: [UInt8]
    var place = 0

    mutating func object(deepest: Int) -> [(name: String, value: Range<Int>)]? {
        guard take("{") else { return nil }
        var members: [(name: String, value: Range<Int>)] = []
        if !take("}") {
            repeat {
                skipSpace()
                guard let name = string(), take(":"), let value = value(deepest: deepest) else { return nil }
                members.append((String(decoding: bytes[name], as: UTF8.self), value))
            } while take(",")
            guard take("}") else { return nil }
        }
        skipSpace()
        return place == bytes.count ? members : nil
    }

    mutating func array(deepest: Int) -> [Range<Int>]? {
        guard take("[") else { return nil }
        var elements: [Range<Int>] = []
        guard !take("]") else { return elements }
        repeat {
            guard let value = value(deepest: deepest) else { return nil }
            elements.append(value)
        } while take(",")
        return take("]") ? elements : nil
    }

    private mutating func skipSpace() {
        while place < bytes.count {
            switch bytes[place] {
            case 0x20, 0x09, 0x0A, 0x0D: place += 1
            default: return
            }
        }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        skipSpace()
        guard place < bytes.count, bytes[place] == UInt8(ascii: scalar) else { return false }
        place += 1
        return true
    }

    /// The text between the quotes.
    private mutating func string() -> Range<Int>? {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
        place += 1
        let start = place
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                defer { place += 1 }
                return start..<place
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        return nil
    }

    /// Up to the comma or bracket that ends it.
    private mutating func value(deepest: Int) -> Range<Int>? {
        skipSpace()
        let start = place
        var depth = 1
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                guard string() != nil else { return nil }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth > deepest { return nil }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 1 { return end(start) }
                depth -= 1
            case UInt8(ascii: ","):
                if depth == 1 { return end(start) }
            default: break
            }
            place += 1
        }
        return nil
    }

    private func end(_ start: Int) -> Range<Int>? {
        start < place ? start..<place : nil
    }
}
