/// A configuration file made into what `run` does. Reading it changes nothing, so it may be done again at any time.
package enum ConfigurationFile {
    /// The key of the groups.
    static let groups = "groups"
    /// The key of what holds in every group that says nothing else.
    static let defaults = "defaults"

    /// Reads the file.
    ///
    /// - Parameter flags: given beside the file: they take precedence over it, a group's in every group.
    /// - Throws: the first fault, and where it is.
    package static func load(
        _ path: String, overriding flags: [GivenSetting] = []
    ) throws(ConfigurationFault) -> RunSettings {
        try settings(of: try BoundedFile.read(path), named: path, overriding: flags)
    }

    /// The same for bytes that were read already.
    package static func settings(
        of bytes: [UInt8], named file: String, overriding flags: [GivenSetting] = []
    ) throws(ConfigurationFault) -> RunSettings {
        do throws(TextFault) {
            guard let document = try YAML.read(bytes) else {
                throw TextFault(
                    place: TextPlace(line: 1, column: 1), sentence: "the file is empty: it needs 'groups'")
            }
            return try ConfigurationReader(flags: flags).settings(document)
        } catch {
            throw ConfigurationFault(file: file, place: error.place, error.sentence)
        }
    }
}

/// The tree of a file made into settings. Where each was set is kept, for what turns out wrong later.
private struct ConfigurationReader {
    let flags: [GivenSetting]

    /// A group's values, and where each was set.
    private struct Draft {
        var settings = GroupSettings()
        var places: [String: TextPlace] = [:]
    }

    func settings(_ document: YAMLNode) throws(TextFault) -> RunSettings {
        var result = RunSettings()
        var places: [String: TextPlace] = [:]
        var defaults = Draft()
        var groups: (place: TextPlace, entries: [YAMLNode.Entry])?
        for entry in try map(document, "the file") {
            switch entry.key {
            case ConfigurationFile.groups: groups = (entry.place, try map(entry.value, "'groups'"))
            case ConfigurationFile.defaults:
                for entry in try map(entry.value, "'defaults'") {
                    try put(entry, into: &defaults, scopes: [.group], of: "'defaults'")
                }
            default:
                let setting = try setting(
                    entry, scopes: [.supervisor], of: "the file",
                    also: [ConfigurationFile.groups, ConfigurationFile.defaults])
                result.take([try read(entry, setting)])
                places[setting.name] = entry.value.place
            }
        }
        guard let groups, !groups.entries.isEmpty else {
            throw TextFault(
                place: groups?.place ?? document.place,
                sentence: "there is no group of workers to run: 'groups' has them, by their names")
        }
        result.take(flags)
        var groupPlaces: [(group: TextPlace, values: [String: TextPlace])] = []
        for entry in groups.entries {
            var draft = defaults
            for value in try map(entry.value, "the group '\(clipped(entry.key))'") {
                try put(value, into: &draft, scopes: [.group, .program], of: "a group")
            }
            draft.settings.take(flags)
            do throws(ValueFault) {
                result.configuration.groups.append(
                    try draft.settings.configuration(name: entry.key, notation: .key))
            } catch {
                throw TextFault(
                    place: entry.place, sentence: "in group '\(clipped(entry.key))': \(error.description)")
            }
            groupPlaces.append((entry.place, draft.places))
        }
        if let fault = result.configuration.firstFault(.key) {
            let place: TextPlace? =
                if let index = fault.group {
                    fault.setting.flatMap { groupPlaces[index].values[$0] } ?? groupPlaces[index].group
                } else {
                    fault.setting.flatMap { places[$0] }
                }
            throw TextFault(place: place ?? document.place, sentence: fault.sentence)
        }
        return result
    }

    private func put(
        _ entry: YAMLNode.Entry, into draft: inout Draft, scopes: Set<Setting.Scope>, of what: String
    ) throws(TextFault) {
        let setting = try setting(entry, scopes: scopes, of: what)
        draft.settings.take([try read(entry, setting)])
        draft.places[setting.name] = entry.value.place
    }

    // MARK: Keys

    private func setting(
        _ entry: YAMLNode.Entry, scopes: Set<Setting.Scope>, of what: String, also words: [String] = []
    ) throws(TextFault) -> Setting {
        let known = Setting.named(entry.key)
        if let known, scopes.contains(known.scope) { return known }
        if let known {
            let place =
                switch known.scope {
                case .supervisor: "at the top of the file"
                case .group: "in a group or in 'defaults'"
                case .program: "in a group"
                }
            throw TextFault(
                place: entry.place, sentence: "'\(entry.key)' is no key of \(what): it belongs \(place)")
        }
        let key = clipped(entry.key)
        let fitting = Setting.all.filter { scopes.contains($0.scope) }.map(\.name) + words
        let hint =
            Misspelling.meant(by: key, of: fitting + Setting.all.map(\.name)).map {
                ": did you mean '\($0)'?"
            }
            ?? " (sergeantcg run --help has them all)"
        throw TextFault(place: entry.place, sentence: "'\(key)' is no key of \(what)\(hint)")
    }

    /// As much of it as a sentence can bear.
    private func clipped(_ text: String) -> String {
        text.utf8.count <= 100 ? text : "\(String(decoding: text.utf8.prefix(100), as: UTF8.self))…"
    }

    // MARK: Values

    private func read(_ entry: YAMLNode.Entry, _ setting: Setting) throws(TextFault) -> GivenSetting {
        let value = try value(entry.value, of: setting)
        do throws(ValueFault) { return try setting.given(value) } catch {
            var shown = ""
            if case .text(let text, _) = entry.value.content { shown = " '\(clipped(text))'" }
            throw TextFault(
                place: entry.value.place,
                sentence: "the value\(shown) is invalid for '\(setting.name)': \(error.description)")
        }
    }

    private func value(_ node: YAMLNode, of setting: Setting) throws(TextFault) -> SettingValue {
        if node.isNull {
            throw TextFault(
                place: node.place, sentence: "'\(setting.name)' has no value: give one, or leave the key out")
        }
        switch (setting.shape, node.content) {
        case (.text, .text(let text, _)), (.flag, .text(let text, _)): return .text(text)
        case (.texts, .text(let text, _)): return .words([text])
        case (.words, .list(let items)), (.texts, .list(let items)):
            var words: [String] = []
            for item in items { words.append(try text(item, of: setting)) }
            return .words(words)
        case (.words, _):
            throw TextFault(
                place: node.place,
                sentence: "'\(setting.name)' takes a list, as in [./serve, --port, \"8080\"]")
        case (.variables, .map(let entries)):
            var words: [String] = []
            for entry in entries {
                guard !entry.key.isEmpty, !entry.key.contains("=") else {
                    throw TextFault(
                        place: entry.place,
                        sentence: "'\(clipped(entry.key))' cannot be the name of a variable")
                }
                guard case .text(let text, _) = entry.value.content, !entry.value.isNull else {
                    throw TextFault(
                        place: entry.value.place,
                        sentence: "the variable '\(clipped(entry.key))' takes a text (\"\" is an empty one)")
                }
                words.append("\(entry.key)=\(text)")
            }
            return .words(words)
        case (.variables, _):
            throw TextFault(
                place: node.place, sentence: "'\(setting.name)' takes names with values, as in {NAME: value}")
        case (.texts, .map):
            throw TextFault(place: node.place, sentence: "'\(setting.name)' takes a value, or a list of them")
        case (_, .list), (_, .map):
            throw TextFault(place: node.place, sentence: "'\(setting.name)' takes one value")
        }
    }

    private func text(_ node: YAMLNode, of setting: Setting) throws(TextFault) -> String {
        guard case .text(let text, _) = node.content, !node.isNull else {
            throw TextFault(
                place: node.place,
                sentence: "'\(setting.name)' takes a list of texts (\"\" is an empty one)")
        }
        return text
    }

    private func map(_ node: YAMLNode, _ what: String) throws(TextFault) -> [YAMLNode.Entry] {
        if case .map(let entries) = node.content { return entries }
        throw TextFault(
            place: node.place,
            sentence: node.isNull ? "\(what) has nothing in it" : "\(what) must be keys with values")
    }
}
