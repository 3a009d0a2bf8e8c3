/// A file of variables, a line each, as systemd's `EnvironmentFile=` has them (systemd.exec(5)): `NAME=VALUE`, the value
/// bare or in quotes; blank lines and those that begin with `#` or `;` say nothing. A line that goes on in the next
/// one is refused.
package enum EnvironmentFile {
    package static func variables(
        of bytes: [UInt8], named file: String
    ) throws(ConfigurationFault) -> [String: String] {
        var variables: [String: String] = [:]
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard let text = String(validating: line, as: UTF8.self), !text.utf8.contains(0) else {
                throw ConfigurationFault(
                    file: file, place: TextPlace(line: number, column: 1), "it is not UTF-8 text")
            }
            do throws(ValueFault) {
                if let (name, value) = try variable(text) { variables[name] = value }
            } catch {
                throw ConfigurationFault(
                    file: file, place: TextPlace(line: number, column: 1), error.description)
            }
        }
        return variables
    }

    private static func variable(_ line: String) throws(ValueFault) -> (name: String, value: String)? {
        let line = trimmed(line[...])
        guard let first = line.first, first != "#", first != ";" else { return nil }
        guard let equals = line.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            throw ValueFault(description: "a line takes NAME=VALUE")
        }
        let name = trimmed(line[..<equals])
        guard let initial = name.utf8.first, !(0x30...0x39).contains(initial), name.utf8.allSatisfy(isOfName)
        else {
            let hint = name.hasPrefix("export ") ? ": leave 'export' out" : ""
            throw ValueFault(description: "'\(name.prefix(60))' cannot be the name of a variable\(hint)")
        }
        return (String(name), try value(trimmed(line[line.utf8.index(after: equals)...])))
    }

    private static func value(_ text: Substring) throws(ValueFault) -> String {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            guard text.last != "\\" else {
                throw ValueFault(description: "a line cannot go on in the next one: write it as one")
            }
            return String(text)
        }
        var value = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if character == quote {
                guard rest.isEmpty else {
                    throw ValueFault(description: "something stands behind the closing quote")
                }
                return value
            }
            if character == "\\", quote == "\"", let next = rest.first, "\"\\$`".contains(next) {
                rest.removeFirst()
                value.append(next)
            } else {
                value.append(character)
            }
        }
        throw ValueFault(description: "the quote is not closed in this line")
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
        return text
    }
}
