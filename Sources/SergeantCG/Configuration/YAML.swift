internal import CYAML

/// A node of a YAML document, and where it stands. Texts are as they were written: nothing is made a number.
package struct YAMLNode: Hashable, Sendable {
    /// What it holds.
    package enum Content: Hashable, Sendable {
        /// `isPlain`: it stood without quotes.
        case text(String, isPlain: Bool)
        case list([YAMLNode])
        case map([Entry])
    }

    /// A key of a map, and its value. No key is there twice.
    package struct Entry: Hashable, Sendable {
        package var key: String
        package var place: TextPlace
        package var value: YAMLNode
    }

    /// Where it begins.
    package var place: TextPlace
    /// What it holds.
    package var content: Content

    /// Nothing was written, or the word for it.
    package var isNull: Bool {
        guard case .text(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }
}

/// A line and a column of a text, both from 1; a column is a character (a Unicode scalar).
package struct TextPlace: Hashable, Sendable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    fileprivate init(_ mark: yaml_mark_t) {
        line = mark.line + 1
        column = mark.column + 1
    }
}

/// What is wrong with a text, and where.
package struct TextFault: Error, Hashable, Sendable {
    package var place: TextPlace
    package var sentence: String
}

/// The part of YAML that a configuration needs, through libyaml: one document of maps, lists and texts.
/// Anchors, aliases and tags are refused, so a document is never larger than its text.
package enum YAML {
    /// Maps and lists within one another.
    package static let deepest = 16

    /// - Returns: nil for a text without a document.
    package static func read(_ bytes: [UInt8]) throws(TextFault) -> YAMLNode? {
        guard let events = EventReader(bytes) else {
            throw TextFault(place: TextPlace(line: 1, column: 1), sentence: "there is no memory to read it")
        }
        var document: YAMLNode?
        while let event = try events.next() {
            switch event.kind {
            case .documentStart:
                guard document == nil else {
                    throw TextFault(
                        place: event.place, sentence: "a second document begins here: one is taken")
                }
                document = try node(from: try events.demand(), events, depth: 0)
            default: break
            }
        }
        return document
    }

    private static func node(
        from first: Event, _ events: borrowing EventReader, depth: Int
    ) throws(TextFault) -> YAMLNode {
        switch first.kind {
        case .text(let text, let isPlain):
            return YAMLNode(place: first.place, content: .text(text, isPlain: isPlain))
        case .listStart:
            try check(depth, first)
            var items: [YAMLNode] = []
            while true {
                let event = try events.demand()
                if event.kind == .listEnd { return YAMLNode(place: first.place, content: .list(items)) }
                items.append(try node(from: event, events, depth: depth + 1))
            }
        case .mapStart:
            try check(depth, first)
            return YAMLNode(place: first.place, content: .map(try entries(events, depth: depth)))
        default:
            throw TextFault(place: first.place, sentence: "it is not YAML: a value is missing")
        }
    }

    private static func entries(
        _ events: borrowing EventReader, depth: Int
    ) throws(TextFault) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var lines: [String: Int] = [:]
        while true {
            let event = try events.demand()
            if event.kind == .mapEnd { return entries }
            guard case .text(let key, _) = event.kind else {
                throw TextFault(place: event.place, sentence: "a key is a word, not a list or a map")
            }
            if let line = lines[key] {
                throw TextFault(
                    place: event.place,
                    sentence:
                        "the key '\(String(key.prefix(100)))' is there twice, first in line \(line)")
            }
            lines[key] = event.place.line
            let value = try node(from: try events.demand(), events, depth: depth + 1)
            entries.append(YAMLNode.Entry(key: key, place: event.place, value: value))
        }
    }

    private static func check(_ depth: Int, _ event: Event) throws(TextFault) {
        guard depth >= deepest else { return }
        throw TextFault(place: event.place, sentence: "it is nested more than \(deepest) deep")
    }
}

/// A step of libyaml's parser.
private struct Event {
    enum Kind: Equatable {
        case documentStart, listStart, listEnd, mapStart, mapEnd, other
        case text(String, isPlain: Bool)
    }

    var kind: Kind
    var place: TextPlace
}

/// libyaml's parser over bytes of its own.
private struct EventReader: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    /// Nil where there is no memory.
    init?(_ bytes: [UInt8]) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            return nil
        }
        self.parser = parser
        // libyaml would count the mark as a column, and so as indentation.
        let plain = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        text = .allocate(capacity: plain.count)
        _ = text.initialize(fromContentsOf: plain)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    /// Nil at the end.
    borrowing func next() throws(TextFault) -> Event? {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw fault() }
        defer { yaml_event_delete(&event) }
        let place = TextPlace(event.start_mark)
        switch event.type {
        case YAML_NO_EVENT, YAML_STREAM_END_EVENT: return nil
        case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, place: place)
        case YAML_SEQUENCE_END_EVENT: return Event(kind: .listEnd, place: place)
        case YAML_MAPPING_END_EVENT: return Event(kind: .mapEnd, place: place)
        case YAML_ALIAS_EVENT:
            throw TextFault(place: place, sentence: "an alias is not taken: write what it stands for")
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            try refuse(anchor: start.anchor, tag: start.tag, place)
            return Event(kind: .listStart, place: place)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            try refuse(anchor: start.anchor, tag: start.tag, place)
            return Event(kind: .mapStart, place: place)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuse(anchor: scalar.anchor, tag: scalar.tag, place)
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            guard !bytes.contains(0) else {
                throw TextFault(place: place, sentence: "a text cannot hold a NUL byte")
            }
            return Event(
                kind: .text(
                    String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                place: place)
        default: return Event(kind: .other, place: place)
        }
    }

    borrowing func demand() throws(TextFault) -> Event {
        guard let event = try next() else {
            throw TextFault(
                place: TextPlace(parser.pointee.mark), sentence: "it is not YAML: it ends too early")
        }
        return event
    }

    private func refuse(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?,
        _ place: TextPlace
    ) throws(TextFault) {
        if anchor != nil {
            throw TextFault(
                place: place, sentence: "an anchor is not taken, for aliases are not: write it out")
        }
        if tag != nil {
            throw TextFault(place: place, sentence: "a tag is not taken: values are read as they are written")
        }
    }

    private borrowing func fault() -> TextFault {
        let parser = parser.pointee
        switch parser.error {
        case YAML_READER_ERROR:
            // The reader knows the byte; its mark is behind.
            let problem = parser.problem.map { String(cString: $0) } ?? ""
            return TextFault(
                place: place(ofByte: parser.problem_offset),
                sentence: problem.contains("control characters")
                    ? "a control character is not taken" : "it is not UTF-8 text")
        case YAML_MEMORY_ERROR:
            return TextFault(place: TextPlace(parser.mark), sentence: "there is no memory to read it")
        default:
            // At the end of the text libyaml is a line further.
            let end = place(ofByte: text.count)
            var place = TextPlace(parser.problem_mark)
            if (place.line, place.column) > (end.line, end.column) { place = end }
            return TextFault(place: place, sentence: isTab(at: place) ? Self.tab : sentence(parser))
        }
    }

    private static let tab = "a tab cannot indent: use spaces"

    private borrowing func sentence(_ parser: yaml_parser_t) -> String {
        let problem = parser.problem.map { String(cString: $0) } ?? "unknown error"
        if problem == "did not find expected <document start>" {
            return "it is not YAML: this belongs to nothing before it (is it indented rightly?)"
        }
        var sentence = "it is not YAML: \(problem)"
        if let context = parser.context.map({ String(cString: $0) }) {
            sentence += " \(context)"
            if parser.context_mark.line != parser.problem_mark.line {
                sentence += " from line \(parser.context_mark.line + 1)"
            }
        }
        return sentence
    }

    private borrowing func isTab(at place: TextPlace) -> Bool {
        var line = 1
        var column = 1
        for byte in text {
            if line == place.line, column == place.column { return byte == UInt8(ascii: "\t") }
            Self.advance(&line, &column, over: byte)
        }
        return false
    }

    private borrowing func place(ofByte offset: Int) -> TextPlace {
        var line = 1
        var column = 1
        for byte in text.prefix(offset) { Self.advance(&line, &column, over: byte) }
        return TextPlace(line: line, column: column)
    }

    /// Continuation bytes of UTF-8 take no column.
    private static func advance(_ line: inout Int, _ column: inout Int, over byte: UInt8) {
        if byte == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if byte & 0xC0 != 0x80 {
            column += 1
        }
    }
}
