import CLinux
import Glibc

/// A `ProcessSpecification` laid out as exec wants it, once, for any number of starts.
///
/// What differs from start to start can be replaced: the last variables of the environment and the sources of
/// descriptors. A start then allocates nothing. Belongs to one thread at a time.
public final class PreparedProcess {
    /// The program's path.
    public let executable: String
    /// How the process is made; may differ from start to start.
    public var mode: ProcessSpecification.Mode

    private let path: UnsafeMutablePointer<CChar>
    private let workingDirectory: UnsafeMutablePointer<CChar>?
    private let arguments: CStrings
    private let environment: CStrings
    private let replaceable: Range<Int>
    private let sources: UnsafeMutableBufferPointer<Int32>
    private let targets: UnsafeMutableBufferPointer<Int32>
    private let limits: UnsafeMutableBufferPointer<linux_resource_limit>
    private let groups: UnsafeMutableBufferPointer<gid_t>
    private let pidTexts: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>
    private let specification: ProcessSpecification

    /// Throws, at stage `prepare`, `EINVAL` for a string with a null byte in it, a variable without `=`, a
    /// negative descriptor, a target that is there twice or another user in mode `sharesMemory`, and `E2BIG` for more than 1024 descriptors.
    public init(_ specification: ProcessSpecification) throws(SpawnError) {
        try Self.check(specification)
        self.specification = specification
        executable = specification.executable
        mode = specification.mode
        path = CStrings.copy(specification.executable)
        workingDirectory = specification.workingDirectory.map { CStrings.copy($0) }
        arguments = CStrings(specification.arguments)
        // Those with the PID come first, for the last ones are replaced.
        let pidCount = specification.pidVariables.count
        environment = CStrings(
            specification.pidVariables.map { "\($0)=00000000000" } + specification.environment)
        replaceable = pidCount..<pidCount + specification.environment.count
        pidTexts = .allocate(capacity: pidCount)
        for (index, name) in specification.pidVariables.enumerated() {
            pidTexts.initializeElement(at: index, to: environment[index].map { $0 + name.utf8.count + 1 })
        }
        sources = .allocate(capacity: specification.descriptors.count)
        targets = .allocate(capacity: specification.descriptors.count)
        limits = .allocate(capacity: specification.resourceLimits.count)
        _ = limits.initialize(
            fromContentsOf: specification.resourceLimits.map {
                linux_resource_limit(resource: $0.resource, soft: $0.soft, hard: $0.hard)
            })
        groups = .allocate(capacity: specification.user?.groups.count ?? 0)
        _ = groups.initialize(fromContentsOf: specification.user?.groups ?? [])
        _ = sources.initialize(fromContentsOf: specification.descriptors.map(\.source))
        _ = targets.initialize(fromContentsOf: specification.descriptors.map(\.target))
    }

    deinit {
        path.deallocate()
        workingDirectory?.deallocate()
        sources.deallocate()
        targets.deallocate()
        pidTexts.deallocate()
        limits.deallocate()
        groups.deallocate()
    }

    /// Replaces the last variables of the environment, as many as are given, in their order: `NAME=value`.
    ///
    /// Throws `EINVAL` at stage `prepare` if there are more than the environment has, or one has a null byte.
    public func replaceLastVariables(_ variables: [String]) throws(SpawnError) {
        guard variables.count <= replaceable.count, variables.allSatisfy({ Self.isVariable($0) }) else {
            throw SpawnError(stage: .prepare, errno: EINVAL, executable: executable, cgroup: "")
        }
        var index = replaceable.upperBound - variables.count
        for variable in variables {
            environment.replace(index, with: variable)
            index += 1
        }
    }

    /// Has the process find another descriptor of ours at the number `target`.
    ///
    /// Throws `EINVAL` at stage `prepare` if the specification has no such target, or `source` is negative.
    public func setSource(_ source: Int32, forTarget target: Int32) throws(SpawnError) {
        guard source >= 0, let index = targets.firstIndex(of: target) else {
            throw SpawnError(stage: .prepare, errno: EINVAL, executable: executable, cgroup: "")
        }
        sources[index] = source
    }

    /// Calls `body` with the request for a start in the cgroup of this directory.
    func withRequest<Value>(cgroup: Int32, _ body: (UnsafePointer<linux_spawn_request>) -> Value) -> Value {
        var request = linux_spawn_request()
        request.cgroup = cgroup
        request.path = UnsafePointer(path)
        request.arguments = arguments.pointer
        request.environment = environment.pointer
        request.sources = UnsafePointer(sources.baseAddress)
        request.targets = UnsafePointer(targets.baseAddress)
        request.descriptor_count = UInt32(sources.count)
        request.pid_texts = UnsafePointer(pidTexts.baseAddress)
        request.pid_text_count = UInt32(pidTexts.count)
        request.reset_signals = specification.resetSignals
        request.mode =
            switch mode {
            case .sharesMemory: LINUX_SPAWN_SHARES_MEMORY
            case .copiesMemory: LINUX_SPAWN_COPIES_MEMORY
            }
        request.new_session = specification.newSession
        request.limits = UnsafePointer(limits.baseAddress)
        request.limit_count = UInt32(limits.count)
        if let user = specification.user {
            request.sets_user = true
            request.user = user.user
            request.group = user.group
            request.groups = UnsafePointer(groups.baseAddress)
            request.group_count = UInt32(groups.count)
        }
        request.no_new_privileges = specification.noNewPrivileges
        request.working_directory = UnsafePointer(workingDirectory)
        if let mask = specification.fileModeMask {
            request.sets_umask = true
            request.umask = mask
        }
        if let adjustment = specification.oomScoreAdjustment {
            request.sets_oom_score = true
            request.oom_score_adjustment = adjustment
        }
        return withExtendedLifetime(self) { body(&request) }
    }

    private static func check(_ specification: ProcessSpecification) throws(SpawnError) {
        func failure(_ code: Int32) -> SpawnError {
            SpawnError(stage: .prepare, errno: code, executable: specification.executable, cgroup: "")
        }
        guard !specification.executable.utf8.contains(0),
            specification.workingDirectory?.utf8.contains(0) != true,
            !specification.arguments.contains(where: { $0.utf8.contains(0) }),
            specification.environment.allSatisfy({ isVariable($0) }),
            specification.pidVariables.allSatisfy({ isVariable("\($0)=") })
        else { throw failure(EINVAL) }
        let descriptors = specification.descriptors
        guard specification.user == nil || specification.mode == .copiesMemory else { throw failure(EINVAL) }
        guard descriptors.count <= 1024 else { throw failure(E2BIG) }
        guard descriptors.allSatisfy({ $0.source >= 0 && $0.target >= 0 }),
            Set(descriptors.map(\.target)).count == descriptors.count
        else { throw failure(EINVAL) }
    }

    private static func isVariable(_ text: String) -> Bool {
        !text.utf8.contains(0) && text.utf8.contains(UInt8(ascii: "="))
    }
}

/// A null-terminated array of C strings, each of which may be replaced.
private final class CStrings {
    private let strings: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>
    private var capacities: [Int]

    init(_ texts: [String]) {
        strings = .allocate(capacity: texts.count + 1)
        strings.initialize(repeating: nil)
        capacities = texts.map { $0.utf8.count + 1 }
        for (index, text) in texts.enumerated() { strings[index] = Self.copy(text) }
    }

    deinit {
        for string in strings { string?.deallocate() }
        strings.deallocate()
    }

    var pointer: UnsafePointer<UnsafeMutablePointer<CChar>?>? { UnsafePointer(strings.baseAddress) }

    subscript(index: Int) -> UnsafeMutablePointer<CChar>? { strings[index] }

    func replace(_ index: Int, with text: String) {
        let needed = text.utf8.count + 1
        if let string = strings[index], capacities[index] >= needed {
            Self.write(text, to: string)
        } else {
            strings[index]?.deallocate()
            strings[index] = Self.copy(text)
            capacities[index] = needed
        }
    }

    static func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
        let string = UnsafeMutablePointer<CChar>.allocate(capacity: text.utf8.count + 1)
        write(text, to: string)
        return string
    }

    private static func write(_ text: String, to string: UnsafeMutablePointer<CChar>) {
        var next = string
        for byte in text.utf8 {
            next.initialize(to: CChar(bitPattern: byte))
            next += 1
        }
        next.initialize(to: 0)
    }
}
