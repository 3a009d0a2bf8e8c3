/// All that `run` is told, whether by flags or by a file: the configuration, and how the program itself behaves.
package struct RunSettings: Sendable {
    /// As the program wants it: it moves its own process and handles signals.
    package var configuration = Configuration(
        groups: [], place: .own(movesProcesses: true), handlesSignals: true, takesPassedSockets: true,
        control: .automatic)
    package var logFormat = LogFormat.auto
    package var logLevel = LogLevel.info
    /// Exit statuses as those of `python3 -m sergeant.supervisor`.
    package var legacyExitCodes = false

    package init() {
        configuration.delegation = .auto
    }

    /// Puts the supervisor's values in their places; those of groups are passed over.
    package mutating func take(_ given: some Sequence<GivenSetting>) {
        for case .supervisor(let assign) in given.lazy.map(\.assignment) { assign(&self) }
    }
}

/// What is told of one group, before it is known what its workers are.
package struct GroupSettings: Sendable {
    /// All but the program and the name.
    package var group = GroupConfiguration(program: .command([]), workers: 1)
    package var module: String?
    package var workerClass: String?
    package var python = "python3"
    package var command: [String]?
    /// From files, less than what is given beside them.
    package var variablesFromFiles: [String: String] = [:]

    package init() {}

    /// Puts a group's values in their places; the supervisor's are passed over.
    package mutating func take(_ given: some Sequence<GivenSetting>) {
        for case .group(let assign) in given.lazy.map(\.assignment) { assign(&self) }
    }

    /// The group, whole.
    ///
    /// - Parameter name: nil names it after what it runs.
    package func configuration(
        name: String?, notation: OptionNotation
    ) throws(ValueFault) -> GroupConfiguration {
        var group = group
        group.program = try program(notation)
        group.environment = variablesFromFiles.merging(group.environment) { _, given in given }
        group.name = name ?? GroupConfiguration.defaultName(of: group.program)
        return group
    }

    private func program(_ notation: OptionNotation) throws(ValueFault) -> GroupConfiguration.Program {
        let module = notation.word(Setting.workerModule.name)
        let workerClass = notation.word(Setting.workerClass.name)
        let command = notation == .flag ? "a command after --" : "a command"
        switch (self.module, self.workerClass, self.command) {
        case (let name?, let type?, nil): return .sergeant(module: name, class: type, python: python)
        case (nil, nil, let words?): return .command(words)
        case (nil, nil, nil):
            let help = notation == .flag ? " (sergeantcg --help shows how)" : ""
            throw ValueFault(
                description:
                    "There is nothing to run: give \(command), or \(module) and \(workerClass)\(help)")
        case (_?, nil, nil): throw ValueFault(description: "\(module) needs \(workerClass) too")
        case (nil, _?, nil): throw ValueFault(description: "\(workerClass) needs \(module) too")
        case (_, _, _?):
            throw ValueFault(
                description: "Give either \(module) and \(workerClass), or \(command), not both")
        }
    }
}

/// How an option is written where a person reads of it.
package enum OptionNotation: Sendable {
    /// `--word`
    case flag
    /// `word`, as in a configuration file.
    case key

    package func word(_ name: String) -> String { self == .flag ? "--\(name)" : name }
}
