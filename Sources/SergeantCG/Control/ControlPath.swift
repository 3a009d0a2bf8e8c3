internal import Glibc

/// Where control sockets are, for the supervisor that makes one and for the commands that look for it.
package struct ControlPath: Hashable, Sendable {
    /// What the socket's file is called.
    static let file = "control"
    private static let family = "sergeantcg"

    /// The socket's file.
    package var path: String
    /// Directories that are the supervisor's to make, the outer one first. The last is for its user alone.
    var made: [String] = []
    /// A person named it: it must be had.
    package var isGiven = false

    /// The path that a person gave.
    package init(given path: String) {
        self.path = path
        isGiven = true
    }

    /// `$RUNTIME_DIRECTORY/control`, which systemd made for the service (systemd.exec(5)); else beneath `/run` for root,
    /// beneath `$XDG_RUNTIME_DIR` for others. Nil where there is no place for it.
    package init?(
        name: String, user: UInt32, environment: (String) -> String? = ControlPath.variable
    ) {
        if let directory = Self.serviceDirectory(environment) {
            path = "\(directory)/\(Self.file)"
            return
        }
        guard let parent = user == 0 ? "/run" : Self.userDirectory(environment) else { return nil }
        made = ["\(parent)/\(Self.family)", "\(parent)/\(Self.family)/\(name)"]
        path = "\(parent)/\(Self.family)/\(name)/\(Self.file)"
    }

    /// Where sockets may be found: those of this name, or of every name.
    package static func candidates(
        name: String?, environment: (String) -> String? = ControlPath.variable,
        names: (String) -> [String] = ControlPath.names
    ) -> [String] {
        var paths: [String] = []
        if name == nil, let directory = serviceDirectory(environment) { paths.append("\(directory)/\(file)") }
        for parent in ["/run"] + (userDirectory(environment).map { [$0] } ?? []) {
            let directory = "\(parent)/\(family)"
            for instance in names(directory).sorted() where name == nil || instance == name {
                let path = "\(directory)/\(instance)/\(file)"
                if !paths.contains(path) { paths.append(path) }
            }
        }
        return paths
    }

    /// The first, where the unit asks for several.
    private static func serviceDirectory(_ environment: (String) -> String?) -> String? {
        guard let first = environment("RUNTIME_DIRECTORY")?.split(separator: ":").first, first.hasPrefix("/")
        else { return nil }
        return String(first)
    }

    private static func userDirectory(_ environment: (String) -> String?) -> String? {
        guard let directory = environment("XDG_RUNTIME_DIR"), directory.hasPrefix("/") else { return nil }
        return directory
    }

    package static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// The names in a directory; none where it cannot be read.
    package static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
