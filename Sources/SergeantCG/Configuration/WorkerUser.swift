internal import Glibc

/// Whom workers run as.
public struct WorkerUser: Hashable, Codable, Sendable {
    /// The user's number.
    public var user: UInt32
    /// The group's number.
    public var group: UInt32
    /// Its supplementary groups, in order.
    public var groups: [UInt32]
    /// The user's name; nil for a number that has none.
    public var name: String?
    /// Its home directory; nil where it has none.
    public var home: String?
    /// Its login shell; nil where it has none.
    public var shell: String?

    /// Takes each part as it is.
    public init(
        user: UInt32, group: UInt32, groups: [UInt32], name: String? = nil, home: String? = nil,
        shell: String? = nil
    ) {
        self.user = user
        self.group = group
        self.groups = groups
        self.name = name
        self.home = home
        self.shell = shell
    }

    /// For a message.
    package var words: String { name ?? String(user) }

    // MARK: Finding

    /// What a person may write, for an error's sentence.
    package static let form = "USER[:GROUP], names or numbers"

    /// How it may be written; whether there is such a user is for the reader alone to see.
    package static let spelling = Spelling.pattern(
        "[^:]+(?::[^:]+)?", numbers: .whole(0...UInt64(UInt32.max - 1)))

    /// Asks the user database: the group is the user's own where none is named, the supplementary ones are those that a
    /// login has (initgroups(3)).
    package static func find(_ text: String) throws(ValueFault) -> WorkerUser {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let user = parts.first else {
            throw ValueFault(description: "it takes \(form)")
        }
        guard !user.isEmpty else {
            throw ValueFault(
                description: "a user is missing\(parts.count == 2 ? " before the ':'" : ""): it takes \(form)"
            )
        }
        if parts.count == 2, parts[1].isEmpty {
            throw ValueFault(
                description: "a group is missing after the ':': without it the group is \(user)'s own")
        }
        let group: UInt32? = parts.count == 2 ? try find(group: parts[1]) : nil
        guard let entry = try entry(of: user) else {
            guard let number = number(user) else {
                throw ValueFault(description: "there is no user '\(user)' here (getent passwd lists them)")
            }
            guard let group else {
                throw ValueFault(
                    description:
                        "the user \(number) has no entry, so its group must be named too: \(number):GROUP")
            }
            return WorkerUser(user: number, group: group, groups: [group])
        }
        let primary = group ?? entry.group
        return WorkerUser(
            user: entry.user, group: primary, groups: groups(of: entry.name, with: primary), name: entry.name,
            home: entry.home, shell: entry.shell)
    }

    /// What the kernel has no other meaning for: -1 is "as it was".
    private static func number(_ text: String) -> UInt32? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt32(text), number != .max
        else { return nil }
        return number
    }

    private struct Entry {
        var name: String
        var user: UInt32
        var group: UInt32
        var home: String?
        var shell: String?
    }

    /// By name, then by number. Nil where there is none.
    private static func entry(of text: String) throws(ValueFault) -> Entry? {
        guard !text.utf8.contains(0) else { throw ValueFault(description: "it takes \(form)") }
        let named = try look("user '\(text)'", passwd()) {
            getpwnam_r(text, $0, $1, $2, $3)
        } read: {
            entry($0)
        }
        if let named { return named }
        guard let number = number(text) else { return nil }
        return try look("user \(text)", passwd()) {
            getpwuid_r(number, $0, $1, $2, $3)
        } read: {
            entry($0)
        }
    }

    private static func entry(_ found: passwd) -> Entry {
        Entry(
            name: String(cString: found.pw_name), user: found.pw_uid, group: found.pw_gid,
            home: directory(found.pw_dir), shell: shell(found.pw_shell))
    }

    private static func find(group text: String) throws(ValueFault) -> UInt32 {
        guard !text.utf8.contains(0) else { throw ValueFault(description: "it takes \(form)") }
        let found = try look("group '\(text)'", Glibc.group()) {
            getgrnam_r(text, $0, $1, $2, $3)
        } read: {
            $0.gr_gid
        }
        if let found { return found }
        guard let number = number(text) else {
            throw ValueFault(description: "there is no group '\(text)' here (getent group lists them)")
        }
        return number
    }

    /// Calls one of the reentrant look-ups, with as much room as it asks for.
    private static func look<Record, Found>(
        _ what: String, _ empty: Record,
        _ call: (
            UnsafeMutablePointer<Record>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<Record>?>
        ) -> Int32, read: (Record) -> Found
    ) throws(ValueFault) -> Found? {
        var size = 4096
        while true {
            var record = empty
            var result: UnsafeMutablePointer<Record>?
            var found: Found?
            var room = [CChar](repeating: 0, count: size)
            let error = call(&record, &room, size, &result)
            // Its texts lie in the room.
            if error == 0, result != nil { found = room.withUnsafeBufferPointer { _ in read(record) } }
            switch error {
            case 0: return found
            case ERANGE where size < 1 << 24: size *= 4
            case EINTR: continue
            // What the databases of getpwnam(3) answer for nobody.
            case ENOENT, ESRCH, EBADF, EPERM: return nil
            default:
                throw ValueFault(
                    description: "the \(what) cannot be looked up: \(String(cString: strerror(error)))")
            }
        }
    }

    private static func groups(of name: String, with group: UInt32) -> [UInt32] {
        var count: Int32 = 64
        while true {
            var groups = [gid_t](repeating: 0, count: Int(count))
            if getgrouplist(name, group, &groups, &count) >= 0 { return groups.prefix(Int(count)).sorted() }
            // It has said how many there are.
            if Int(count) <= groups.count { count = Int32(groups.count) * 2 }
        }
    }

    /// As systemd has it for `User=` (systemd.exec(5), "Environment Variables"): the root directory is nobody's home.
    private static func directory(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text = text.map({ String(cString: $0) }), text.hasPrefix("/"), text != "/" else {
            return nil
        }
        return text
    }

    /// A shell that lets nobody in is none.
    private static func shell(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text = text.map({ String(cString: $0) }), text.hasPrefix("/"),
            !["nologin", "false", "true"].contains(text.split(separator: "/").last.map(String.init) ?? "")
        else { return nil }
        return text
    }
}
