internal import FoundationEssentials

/// An error as a reply carries it.
package struct VarlinkError: Error, Hashable, Codable, Sendable {
    /// `interface.Name`.
    package var name: String
    /// Its parameters, in order. All of ours are text.
    package var parameters: [Parameter]

    package struct Parameter: Hashable, Codable, Sendable {
        package var name: String
        package var value: String
    }

    package init(_ name: String, _ parameters: KeyValuePairs<String, String> = [:]) {
        self.name = name
        self.parameters = parameters.map { Parameter(name: $0.key, value: $0.value) }
    }

    package subscript(parameter: String) -> String? {
        parameters.first { $0.name == parameter }?.value
    }
}

/// What is written in answer to a call.
package enum VarlinkReply {
    /// - Parameters:
    ///   - continues: another reply to the same call follows.
    ///   - parameters: writes the members of the reply.
    package static func result(continues: Bool = false, _ parameters: (inout JSONText) -> Void = { _ in })
        -> [UInt8]
    {
        var text = JSONText()
        text.object { reply in
            reply.member("parameters", object: parameters)
            if continues { reply.member("continues", .boolean(true)) }
        }
        return text.bytes + [0]
    }

    /// - Parameter continues: another follows, of what occurs later.
    package static func events(_ batch: RecentPast.Batch, continues: Bool) -> [UInt8] {
        result(continues: continues) { reply in
            reply.member(
                "events",
                array: { array in
                    for entry in batch.entries {
                        array.object { event in
                            event.member("number", .unsigned(entry.number))
                            event.member("line", verbatim: entry.line)
                        }
                    }
                })
            reply.member("lost", .unsigned(batch.lost))
        }
    }

    package static func error(_ error: VarlinkError) -> [UInt8] {
        var text = JSONText()
        text.object { reply in
            reply.member("error", .text(error.name))
            reply.member(
                "parameters",
                object: { object in
                    for parameter in error.parameters {
                        object.member(parameter.name, .text(parameter.value))
                    }
                })
        }
        return text.bytes + [0]
    }
}

/// A reply as a client reads it.
package struct VarlinkAnswer: Sendable {
    /// How deep the JSON of a reply may be nested.
    private static let deepest = 32

    /// The parameters as they came: a JSON object.
    package var parameters: [UInt8]
    package var continues: Bool
    package var error: VarlinkError?

    private struct Message: Decodable {
        var error: String?
        var continues: Bool?
    }

    /// A whole number among the parameters.
    package func integer(_ name: String) -> Int64? {
        let all = try? JSONDecoder().decode([String: VarlinkCall.Value].self, from: Data(parameters))
        guard case .integer(let number)? = all?[name] else { return nil }
        return number
    }

    /// Nil where the bytes, without the NUL that ends them, are no reply.
    package init?(_ bytes: [UInt8]) {
        guard let outline = JSONOutline(bytes, deepest: Self.deepest),
            let message = try? JSONDecoder().decode(Message.self, from: Data(bytes))
        else { return nil }
        parameters = outline["parameters"].map { Array(bytes[$0]) } ?? Array("{}".utf8)
        continues = message.continues ?? false
        if let name = message.error {
            var error = VarlinkError(name)
            let all = try? JSONDecoder().decode([String: VarlinkCall.Value].self, from: Data(parameters))
            for (name, value) in all ?? [:] {
                if case .text(let text) = value { error.parameters.append(.init(name: name, value: text)) }
            }
            self.error = error
        }
    }
}
