internal import CLinux
internal import CgroupKit
internal import Glibc

/// What this place offers a supervisor of a configuration, as it is found.
package struct PlaceFacts: Hashable, Sendable {
    package var kernel: String?
    /// Where cgroup2 is mounted; nil where it is not.
    package var mountPoint: String?
    package var isReadOnly = false
    /// Some controllers are cgroup v1's.
    package var hasVersion1 = false
    /// This process's cgroup, as `/proc/self/cgroup` has it.
    package var ownCgroup: String?
    /// The directory that would be the root of its cgroups.
    package var root: String?
    /// It would be made.
    package var rootIsMade = false
    /// The user that the directory belongs to, and whether this one may write there.
    package var owner: UInt32?
    package var isWritable = false
    /// systemd has marked it as delegated.
    package var isDelegated = false
    package var controllers: [String] = []
    /// Those enabled for the cgroups beneath.
    package var enabledControllers: [String] = []
    /// Nil where it cannot be seen from here.
    package var hasKill: Bool?
    package var hasPressure = false
    /// Nil where it cannot be seen from here.
    package var accountsSwap: Bool?
    /// Those of controllers that are there which this kernel has not.
    package var lackingFiles: Set<String> = []
    package var systemdRuns = false
    /// Of what is installed.
    package var systemdVersion: String?
    package var hasNotifySocket = false
    package var hasUserManager = false
    /// The unit this process is in.
    package var unit: String?
    /// What kind of container this is in.
    package var container: String?
    package var user: UInt32 = 0
    /// Why a supervisor could not start; nil where it could.
    package var obstacle: String?
    /// What to do where a controller is missing.
    package var remedy = ""

    package init() {}

    /// Looks around. Nothing is changed.
    package static func gather(for configuration: Configuration) -> PlaceFacts {
        var facts = PlaceFacts()
        facts.kernel = Subtree.kernelRelease
        facts.user = geteuid()
        facts.remedy = Subtree.remedyForMissingControllers
        facts.addHierarchy(Prospect(configuration))
        facts.addSystemd()
        facts.container = container()
        return facts
    }

    private mutating func addHierarchy(_ prospect: Prospect) {
        let mount = try? Mount.find()
        mountPoint = mount?.mountPoint
        isReadOnly = mount?.isReadOnly ?? false
        hasVersion1 = Self.text("/proc/self/mountinfo")?.contains(" - cgroup ") ?? false
        ownCgroup = try? OwnPlace.find()
        hasPressure = access("/proc/pressure/memory", F_OK) == 0
        obstacle = prospect.obstacle
        guard let ground = prospect.ground else { return }
        root = ground.directory
        rootIsMade = ground.parent != nil
        let place = ground.parent ?? ground.directory
        var status = stat()
        if stat(place, &status) == 0 { owner = status.st_uid }
        isWritable = access(place, W_OK) == 0
        isDelegated = Ground.isDelegated(place)
        controllers = Self.words("\(place)/cgroup.controllers")
        enabledControllers = Self.words("\(place)/cgroup.subtree_control")
        // The hierarchy's root has neither file.
        if access("\(place)/cgroup.events", F_OK) == 0 {
            hasKill = access("\(place)/cgroup.kill", F_OK) == 0
        }
        accountsSwap = Prospect.accountsSwap(place)
        lackingFiles = Prospect.lacking(in: place)
    }

    private mutating func addSystemd() {
        systemdRuns = access("/run/systemd/system", F_OK) == 0
        hasNotifySocket = getenv("NOTIFY_SOCKET") != nil
        hasUserManager = access("/run/user/\(user)/systemd", F_OK) == 0
        let last = ownCgroup?.split(separator: "/").last {
            $0.hasSuffix(".service") || $0.hasSuffix(".scope")
        }
        unit = last.map(String.init)
        guard systemdRuns else { return }
        // Its library carries the version in its name; asking systemd itself would need the bus.
        var found = glob_t()
        defer { globfree(&found) }
        for pattern in [
            "/usr/lib/*/systemd/libsystemd-shared-*.so", "/usr/lib/systemd/libsystemd-shared-*.so",
        ]
        where glob(pattern, 0, nil, &found) == 0 && found.gl_pathc > 0 {
            guard let path = found.gl_pathv[0].map({ String(cString: $0) }) else { continue }
            systemdVersion = path.split(separator: "-").last.map { String($0.dropLast(3)) }
            return
        }
    }

    private static func container() -> String? {
        if access("/run/.containerenv", F_OK) == 0 { return "podman" }
        if access("/.dockerenv", F_OK) == 0 { return "docker" }
        if getenv("KUBERNETES_SERVICE_HOST") != nil { return "kubernetes" }
        if let name = text("/run/systemd/container") { return String(name.prefix { !$0.isNewline }) }
        return getenv("container").map { String(cString: $0) }
    }

    private static func text(_ path: String) -> String? {
        (try? BoundedFile.read(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func words(_ path: String) -> [String] {
        (text(path) ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
