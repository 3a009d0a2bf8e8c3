import SergeantCG

extension FuzzedParser {
    /// What a person writes.
    static let configuration = [
        FuzzedParser("configuration") { bytes in
            do throws(ConfigurationFault) {
                let settings = try ConfigurationFile.settings(of: bytes, named: "f.yaml")
                must(settings.configuration.fault == nil, "a faulty configuration was read")
            } catch {
                must(
                    !error.description.isEmpty && error.description.utf8.count < 4096, "a fault of any length"
                )
            }
        },
        FuzzedParser("yaml") { bytes in
            do throws(TextFault) {
                guard let document = try YAML.read(bytes) else { return }
                must(size(of: document) <= bytes.count + 1, "more nodes than bytes")
            } catch {
                must(error.place.line >= 1 && error.place.column >= 1, "a fault at \(error.place)")
            }
        },
        FuzzedParser("environment-file") { bytes in
            do throws(ConfigurationFault) {
                let variables = try EnvironmentFile.variables(of: bytes, named: "f")
                for (name, value) in variables {
                    must(!name.isEmpty && !name.contains("=") && !(name + value).utf8.contains(0), "\(name)")
                }
            } catch {
                must(!error.description.isEmpty, "no sentence")
            }
        },
        FuzzedParser("flag", longest: 512) { bytes in
            guard let first = bytes.first else { return }
            let setting = Setting.all[Int(first) % Setting.all.count]
            let words = bytes.dropFirst().split(separator: 0, omittingEmptySubsequences: false).map(text)
            // A file that is named is read, which is another parser's.
            guard setting.name != Setting.envFile.name else { return }
            let value: SettingValue =
                switch setting.shape {
                case .text: .text(words.first ?? "")
                case .flag: .flag(true)
                case .texts, .variables, .words: .words(words)
                }
            do throws(ValueFault) {
                var settings = RunSettings()
                var group = GroupSettings()
                let given = [try setting.given(value)]
                settings.take(given)
                group.take(given)
            } catch {
                must(!error.description.isEmpty, "no sentence")
            }
        },
        FuzzedParser("quantity", longest: 64) { bytes in
            let text = text(bytes)
            if case .percent(let percent) = Quantity.size(text) {
                must(percent >= 0 && percent <= 100, "\(percent) %")
            }
            if let count = Quantity.count(text), let again = Quantity.size(text) {
                must(again == .bytes(count), "\(text) is \(count) and \(again)")
            }
            if let duration = Quantity.duration(text) {
                must(duration >= .zero && duration <= .seconds(300_000_000), "\(text) is \(duration)")
            }
        },
        FuzzedParser("listen-address", longest: 512) { bytes in
            do throws(ListenFault) {
                let address = try ListenAddress(parsing: text(bytes))
                // A comma and the like end a path where they are written, so that only what was written is read.
                let again = try ListenAddress(parsing: address.description)
                must(again.description == address.description, "\(address) is read as \(again)")
            } catch {
                must(!error.description.isEmpty, "no sentence")
            }
        },
    ]

    private static func size(of node: YAMLNode) -> Int {
        switch node.content {
        case .text: 1
        case .list(let nodes): 1 + nodes.reduce(0) { $0 + size(of: $1) }
        case .map(let entries): 1 + entries.reduce(0) { $0 + size(of: $1.value) }
        }
    }
}
