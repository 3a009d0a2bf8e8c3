/// One option of `run`: `--word` on the command line and `word:` in a configuration file, read by the same
/// function, put into the same place.
package struct Setting: Sendable {
    /// What its value looks like.
    package enum Shape: Hashable, Sendable {
        /// One word, `--word value`, `word: value`.
        case text
        /// `--word`, `word: true`.
        case flag
        /// `--word value` any number of times; a value or a list of them.
        case texts
        /// `--word NAME=VALUE` any number of times; a map.
        case variables
        /// The worker's command: after `--`, or a list.
        case words
    }

    /// Whose it is, and so where it may stand.
    package enum Scope: Hashable, Sendable {
        /// The supervisor's: at the top of a file. A flag beside a file takes precedence.
        case supervisor
        /// A group's: in it, or among the `defaults`. A flag beside a file takes precedence in every group.
        case group
        /// What the workers of a group are: in it alone.
        case program
    }

    /// A value that was read, still to be put in its place.
    package enum Assignment: Sendable {
        case supervisor(@Sendable (inout RunSettings) -> Void)
        case group(@Sendable (inout GroupSettings) -> Void)
    }

    /// The word, without hyphens before it.
    package let name: String
    /// Whose it is.
    package let scope: Scope
    /// What its value looks like.
    package let shape: Shape
    /// How its value may be written; of several, each. Made when it is asked for, which is seldom.
    package let spelling: @Sendable () -> Spelling
    /// What stands for its value in a help text.
    package let placeholder: String
    /// What it does, in a sentence.
    package let help: String
    /// What holds where it is not given, as a person would write it; nil where nothing does.
    package let standard: String?
    /// Reads a value.
    package let read: @Sendable (SettingValue) throws(ValueFault) -> Assignment

    /// One of the supervisor's.
    package static func supervisor<Value: Sendable>(
        _ name: String, _ form: ValueForm<Value>, _ help: String, standard: String? = nil,
        put: @escaping @Sendable (inout RunSettings, Value) -> Void
    ) -> Setting {
        Setting(
            name: name, scope: .supervisor, shape: form.shape, spelling: form.spelling,
            placeholder: form.placeholder, help: help,
            standard: standard
        ) { (value) throws(ValueFault) in
            let value = try form.parse(value)
            return .supervisor { put(&$0, value) }
        }
    }

    /// One of a group's.
    package static func group<Value: Sendable>(
        _ name: String, _ form: ValueForm<Value>, _ help: String, standard: String? = nil,
        scope: Scope = .group, put: @escaping @Sendable (inout GroupSettings, Value) -> Void
    ) -> Setting {
        Setting(
            name: name, scope: scope, shape: form.shape, spelling: form.spelling,
            placeholder: form.placeholder, help: help,
            standard: standard
        ) { (value) throws(ValueFault) in
            let value = try form.parse(value)
            return .group { put(&$0, value) }
        }
    }

    /// What it does, and what holds where it is not given.
    package var helpWithStandard: String { help + (standard.map { " (default: \($0))" } ?? "") }

    /// Whether its flag may be given several times, each adding to the others.
    package var isRepeatable: Bool { shape == .texts || shape == .variables }

    /// A value given on the command line.
    package func given(_ value: SettingValue) throws(ValueFault) -> GivenSetting {
        GivenSetting(setting: self, value: value, assignment: try read(value))
    }
}

/// A value as it was written.
package enum SettingValue: Hashable, Sendable {
    case text(String)
    case flag(Bool)
    case words([String])
}

/// A setting with a value that was read.
package struct GivenSetting: Sendable {
    package let setting: Setting
    package let value: SettingValue
    package let assignment: Setting.Assignment
}
