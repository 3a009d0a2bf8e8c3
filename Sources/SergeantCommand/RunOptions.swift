internal import ArgumentParser
internal import Glibc
package import SergeantCG

/// The flags of `run`: each a ``Setting``'s, under its own name. All that is said of an option, and what it does,
/// is in `Settings.swift`.
struct WorkerOptions: ParsableArguments {
    @Option(.concurrentWorkers) var concurrentWorkers: [GivenSetting]
    @Option(.workerModule) var workerModule: [GivenSetting]
    @Option(.workerClass) var workerClass: [GivenSetting]
    @Option(.python) var python: [GivenSetting]
    @Option(.env) var env: [GivenSetting]
    @Option(.envFile) var envFile: [GivenSetting]
    @Option(.workingDirectory) var workingDirectory: [GivenSetting]
    @Option(.umask) var umask: [GivenSetting]
    @Option(.user) var user: [GivenSetting]
    @Flag(.noNewPrivileges) var noNewPrivileges: Bool
    @Option(.rlimit) var rlimit: [GivenSetting]
    @Option(.listen) var listen: [GivenSetting]
    @Option(.output) var output: [GivenSetting]
}

struct LimitOptions: ParsableArguments {
    @Option(.maxWorkerMemoryUsage) var maxWorkerMemoryUsage: [GivenSetting]
    @Option(.memorySustain) var memorySustain: [GivenSetting]
    @Option(.memoryMax) var memoryMax: [GivenSetting]
    @Option(.oomPolicy) var oomPolicy: [GivenSetting]
    @Option(.memoryPressure) var memoryPressure: [GivenSetting]
    @Option(.swapMax) var swapMax: [GivenSetting]
    @Option(.zswapMax) var zswapMax: [GivenSetting]
    @Option(.groupMemoryMax) var groupMemoryMax: [GivenSetting]
    @Option(.pidsMax) var pidsMax: [GivenSetting]
    @Option(.cpuMax) var cpuMax: [GivenSetting]
    @Option(.cpuWeight) var cpuWeight: [GivenSetting]
    @Option(.ioWeight) var ioWeight: [GivenSetting]
    @Option(.ioMax) var ioMax: [GivenSetting]
}

struct LifeOptions: ParsableArguments {
    @Option(.maxLifetime) var maxLifetime: [GivenSetting]
    @Option(.restart) var restart: [GivenSetting]
    @Flag(.surge) var surge: Bool
    @Option(.onLeftover) var onLeftover: [GivenSetting]
    @Option(.stopSignal) var stopSignal: [GivenSetting]
    @Option(.stopTimeout) var stopTimeout: [GivenSetting]
    @Option(.startTimeout) var startTimeout: [GivenSetting]
    @Flag(.notify) var notify: Bool
    @Option(.watchdog) var watchdog: [GivenSetting]
    @Option(.minReady) var minReady: [GivenSetting]
    @Option(.backoffInitial) var backoffInitial: [GivenSetting]
    @Option(.backoffMax) var backoffMax: [GivenSetting]
    @Option(.maxFailures) var maxFailures: [GivenSetting]
}

struct SupervisorOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read groups and options from this YAML file; flags beside it take precedence.", valueName: "file"
        ))
    var config: String?

    @Option(.name) var name: [GivenSetting]
    @Option(.cgroup) var cgroup: [GivenSetting]
    @Option(.delegate) var delegate: [GivenSetting]
    @Option(.control) var control: [GivenSetting]
    @Option(.accounting) var accounting: [GivenSetting]
    @Option(.logFormat) var logFormat: [GivenSetting]
    @Option(.logLevel) var logLevel: [GivenSetting]

    @Option(
        help: ArgumentHelp(
            "Write the log to this descriptor, which was inherited, instead of stderr.", valueName: "number"))
    var logFd: Int32?

    @Option(
        help: ArgumentHelp(
            "Stop when the parent, which has this process ID, is gone.", valueName: "pid"))
    var stopWithParent: Int32?

    @Flag(.legacyExitCodes) var legacyExitCodes: Bool

    /// Where the log's lines go.
    ///
    /// - Throws: `ValidationError` where that descriptor was not inherited: one of our own is close-on-exec.
    func logDescriptor() throws -> Int32 {
        guard let logFd else { return STDERR_FILENO }
        guard Self.isInherited(logFd) else {
            throw ValidationError("--log-fd \(logFd) is no inherited descriptor that can be written to.")
        }
        return logFd
    }

    /// It can be written to, and is none of our own, which are close-on-exec.
    static func isInherited(_ descriptor: Int32) -> Bool {
        let access = fcntl(descriptor, F_GETFL)
        return access >= 0 && access & O_ACCMODE != O_RDONLY && fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0
    }
}

/// The command line of `run` as a function, for those who do not run the program.
package enum RunCommandLine {
    /// - Parameter arguments: all words after the program's name.
    package static func settings(_ arguments: [String]) throws -> RunSettings {
        let words = try UpstreamArguments.normalised(arguments)
        guard let run = try Sergeantcg.parseAsRoot(words) as? Run else {
            throw ValidationError("This is no command line of run.")
        }
        return try run.options.settings()
    }
}

extension Option where Value == [GivenSetting] {
    /// The setting's flag. Given twice, the last one holds, unless it takes several.
    init(_ setting: Setting) {
        self.init(
            wrappedValue: [], name: .customLong(setting.name),
            help: ArgumentHelp("\(setting.helpWithStandard)", valueName: setting.placeholder),
            transform: { try setting.given(setting.isRepeatable ? .words([$0]) : .text($0)) })
    }
}

extension Flag where Value == Bool {
    /// The setting's flag.
    init(_ setting: Setting) {
        self.init(
            wrappedValue: false, name: .customLong(setting.name), help: ArgumentHelp("\(setting.help)"))
    }
}

extension ParsableArguments {
    /// What was given of these flags, found by reflection: a property is enough to declare one.
    func given() throws -> [GivenSetting] {
        try Mirror(reflecting: self).children.flatMap { child -> [GivenSetting] in
            switch child.value {
            case let option as Option<[GivenSetting]>:
                guard let setting = option.wrappedValue.first?.setting, setting.isRepeatable else {
                    return option.wrappedValue
                }
                let texts = option.wrappedValue.flatMap { given -> [String] in
                    if case .words(let words) = given.value { words } else { [] }
                }
                return [try setting.given(.words(texts))]
            case let flag as Flag<Bool> where flag.wrappedValue:
                // ArgumentParser gives no hold on a flag but its property's name.
                let word = (child.label ?? "").drop { $0 == "_" }.reduce(into: "") { word, letter in
                    word += letter.isUppercase ? "-\(letter.lowercased())" : String(letter)
                }
                return try Setting.named(word).map { [try $0.given(.flag(true))] } ?? []
            default: return []
            }
        }
    }
}
