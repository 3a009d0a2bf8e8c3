internal import CgroupKit
internal import Glibc
internal import Supervision

/// Makes groups of a configuration ready to run: at the start, and when the configuration is read again.
final class GroupPreparation {
    /// A group's program, found.
    struct Program {
        let group: GroupConfiguration
        let executable: String
    }

    private let subtree: Subtree
    private let sockets: ListeningSockets
    /// Where the lines go of groups whose workers' lines are marked.
    private let prefixed: PrefixedOutput?
    /// The workers have back what we ignore.
    private let ignored = Signals.ignored()
    /// The text that `sergeant` workers are started with; made when the first such group comes.
    private var launcher: LauncherImage?

    init(subtree: Subtree, sockets: ListeningSockets, prefixed: PrefixedOutput?) {
        self.prefixed = prefixed
        self.subtree = subtree
        self.sockets = sockets
    }

    /// Finds the programs of groups, before anything is changed.
    ///
    /// - Throws: ``SupervisorError`` with kind `cannotRun`, and the sentence that names what is missing.
    static func find(_ groups: [GroupConfiguration]) throws(SupervisorError) -> [Program] {
        var found: [Program] = []
        for group in groups {
            try Privileges.check(group)
            let program =
                switch group.program {
                case .command(let words): words[0]
                case .sergeant(_, _, let python): python
                }
            let path = group.environment["PATH"] ?? getenv("PATH").map { String(cString: $0) }
            switch ProgramSearch.find(program, path: path, from: group.workingDirectory) {
            case .found(let executable): found.append(Program(group: group, executable: executable))
            case .failed(let sentence): throw SupervisorError(.cannotRun, sentence)
            }
        }
        return found
    }

    /// Opens the sockets that these groups listen at and are not there yet, and makes each ready to start workers.
    func prepare(_ programs: [Program]) throws(SupervisorError) -> [GroupHost] {
        try sockets.open(for: programs.map(\.group))
        var groups: [GroupHost] = []
        for program in programs {
            try subtree.checkFiles(for: program.group)
            groups.append(
                try GroupHost(
                    program.group, executable: program.executable,
                    launcher: try launcher(for: program.group), subtree: subtree,
                    sockets: sockets.handed(to: program.group),
                    output: try GroupOutput(program.group.output, prefixed: prefixed), resetSignals: ignored))
        }
        return groups
    }

    /// What a running supervisor needs beside for a configuration that was read again.
    ///
    /// - Parameter groups: those that are new or changed.
    func prepare(
        _ groups: [GroupConfiguration], of configuration: Configuration
    ) throws(SupervisorError) -> [GroupHost] {
        let programs = try Self.find(groups)
        try checkOpenFiles(for: configuration.groups)
        try subtree.extend(to: configuration)
        return try prepare(programs)
    }

    /// - Throws: ``SupervisorError`` where these groups need more descriptors than this process may have.
    func checkOpenFiles(for groups: [GroupConfiguration]) throws(SupervisorError) {
        try OpenFileLimit.check(for: groups, sockets: sockets.all.count)
    }

    private func launcher(for group: GroupConfiguration) throws(SupervisorError) -> Int32? {
        guard case .sergeant = group.program else { return nil }
        if let launcher { return launcher.descriptor.number }
        let made = try LauncherImage()
        launcher = made
        return made.descriptor.number
    }
}
