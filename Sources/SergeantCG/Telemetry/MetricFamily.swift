/// Samples of one name, with what they mean.
package struct MetricFamily {
    enum Kind: String {
        case gauge
        /// Its name ends with `_total`.
        case counter
    }

    /// One sample.
    struct Sample {
        let labels: KeyValuePairs<String, String>
        let value: String

        init(_ labels: KeyValuePairs<String, String>, _ value: String) {
            self.labels = labels
            self.value = value
        }
    }

    /// How samples are written.
    package enum Format: String, CaseIterable {
        /// OpenMetrics 1.0, which Prometheus asks for.
        case openmetrics
        /// Prometheus' own, older text format 0.0.4.
        case prometheus
    }

    let name: String
    let kind: Kind
    let help: String
    let samples: [Sample]

    init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }
}

extension MetricFamily {
    func write(to text: inout String, _ format: Format) {
        // In OpenMetrics the suffix is the sample's, not the family's.
        let family = format == .openmetrics && kind == .counter ? String(name.dropLast("_total".count)) : name
        text += "# HELP \(family) \(help)\n# TYPE \(family) \(kind.rawValue)\n"
        for sample in samples {
            text += name
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { "\($0)=\"\(Self.escaped($1))\"" }
                text += "{\(labels.joined(separator: ","))}"
            }
            text += " \(sample.value)\n"
        }
    }

    /// A label's value: what cannot be written otherwise.
    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
