internal import FoundationEssentials

/// A method call as it comes over the socket (https://varlink.org/Wire-Protocol).
package struct VarlinkCall: Hashable, Sendable {
    /// What a parameter may be, as far as a method of ours asks for it.
    package enum Value: Hashable, Sendable, Decodable {
        case null
        case boolean(Bool)
        case integer(Int64)
        case text(String)
        /// Something that no method takes.
        case other

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let flag = try? container.decode(Bool.self) {
                self = .boolean(flag)
            } else if let number = try? container.decode(Int64.self) {
                self = .integer(number)
            } else {
                self = .other
            }
        }
    }

    /// The most bytes a call may have, its end not counted.
    package static let capacity = 64 << 10
    /// How deep its JSON may be nested. No method of ours takes more than an object of plain values.
    private static let deepest = 8

    /// `interface.Method`.
    package var method: String
    package var parameters: [String: Value]
    /// The caller takes several replies.
    package var more: Bool
    /// The caller takes no reply.
    package var oneway: Bool

    package init(
        method: String, parameters: [String: Value] = [:], more: Bool = false, oneway: Bool = false
    ) {
        self.method = method
        self.parameters = parameters
        self.more = more
        self.oneway = oneway
    }

    private struct Message: Decodable {
        var method: String
        var parameters: [String: Value]?
        var more: Bool?
        var oneway: Bool?
    }

    /// Nil where the bytes, without the NUL that ends them, are no call.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.capacity, JSONOutline(bytes, deepest: Self.deepest) != nil,
            let message = try? JSONDecoder().decode(Message.self, from: Data(bytes))
        else { return nil }
        self.init(
            method: message.method, parameters: message.parameters ?? [:], more: message.more ?? false,
            oneway: message.oneway ?? false)
    }

    /// The bytes that are sent, the NUL included.
    package var bytes: [UInt8] {
        var text = JSONText()
        text.object { call in
            call.member("method", .text(method))
            if !parameters.isEmpty {
                call.member(
                    "parameters",
                    object: { object in
                        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
                            object.member(name, optional: value.written)
                        }
                    })
            }
            if more { call.member("more", .boolean(true)) }
            if oneway { call.member("oneway", .boolean(true)) }
        }
        return text.bytes + [0]
    }
}

extension VarlinkCall.Value {
    fileprivate var written: Record.Value? {
        switch self {
        case .null, .other: nil
        case .boolean(let flag): .boolean(flag)
        case .integer(let number): .integer(number)
        case .text(let text): .text(text)
        }
    }
}
