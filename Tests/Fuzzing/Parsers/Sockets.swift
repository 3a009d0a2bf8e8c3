import SergeantCG

extension FuzzedParser {
    /// What comes over the control socket, either way.
    static let sockets = [
        FuzzedParser("varlink-call") { bytes in
            guard let call = VarlinkCall(bytes) else { return }
            let again = VarlinkCall(Array(call.bytes.dropLast()))
            must(
                again?.method == call.method && again?.more == call.more, "\(call) is read as \(again as Any)"
            )
            for (name, value) in call.parameters {
                switch value {
                case .boolean, .integer, .text: must(again?.parameters[name] == value, "\(name) is lost")
                case .null, .other: break
                }
            }
        },
        FuzzedParser("varlink-answer") { bytes in
            guard let answer = VarlinkAnswer(bytes) else { return }
            must(answer.parameters.count <= bytes.count + 2, "parameters from nowhere")
            let batch = EventBatch(json: answer.parameters)
            must(
                batch?.events.allSatisfy { $0.line.utf8.count < bytes.count } != false, "a line from nowhere")
        },
        FuzzedParser("json-outline") { bytes in
            guard let outline = JSONOutline(bytes, deepest: 8) else { return }
            var last = 0
            for member in outline.members {
                must(
                    member.value.lowerBound >= last && member.value.upperBound <= bytes.count,
                    "members overlap")
                must(!member.value.isEmpty, "a member without a value")
                last = member.value.upperBound
            }
        },
        FuzzedParser("messages") { bytes in
            var buffer = MessageBuffer(capacity: 64)
            var messages: [[UInt8]] = []
            for piece in pieces(bytes) {
                buffer.append(piece)
                while let message = buffer.next() { messages.append(message) }
                must(!buffer.hasMessage, "a message was left")
            }
            let whole = bytes.dropFirst(8)
            let expected = whole.split(separator: 0, omittingEmptySubsequences: false)
            must(messages == expected.dropLast().map(Array.init), "other messages than were sent")
            must(buffer.unread == Array(expected.last ?? []), "the rest is another")
        },
    ]
}
