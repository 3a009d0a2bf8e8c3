import CLinux
import Glibc

/// A mount of a cgroup v2 file system, as `/proc/self/mountinfo` tells it (proc(5)).
public struct Mount: Hashable, Sendable {
    /// Where it is mounted, without a slash at its end unless it is `/`.
    public var mountPoint: String
    /// The cgroup that is seen there, as a path from the root of our cgroup namespace. It may begin with
    /// `/..` where it was mounted outside the namespace.
    public var root: String
    /// Whether the mount, or the file system, is read-only.
    public var isReadOnly: Bool

    /// A mount of these values.
    public init(mountPoint: String, root: String, isReadOnly: Bool) {
        self.mountPoint = mountPoint
        self.root = root
        self.isReadOnly = isReadOnly
    }

    /// All cgroup v2 mounts in the text of a mountinfo file, in its order. Lines that are not understood are
    /// passed over. Bytes that are no UTF-8 are replaced.
    public static func parse(mountinfo bytes: Span<UInt8>) -> [Mount] {
        var mounts: [Mount] = []
        var lines = KernelText.Lines()
        while let line = lines.next(in: bytes) {
            if let mount = parse(line: line, of: bytes) { mounts.append(mount) }
        }
        return mounts
    }

    /// The same for an array.
    public static func parse(mountinfo bytes: [UInt8]) -> [Mount] { parse(mountinfo: bytes.span) }

    // 36 35 98:0 /root /mount/point rw,noatime master:1 - type source rw,options
    private static func parse(line: Range<Int>, of bytes: Span<UInt8>) -> Mount? {
        var words = KernelText.Words(of: line)
        guard words.next(in: bytes) != nil, words.next(in: bytes) != nil, words.next(in: bytes) != nil,
            let root = words.next(in: bytes), let mountPoint = words.next(in: bytes),
            let options = words.next(in: bytes)
        else { return nil }
        // Optional fields of any number, then a lone hyphen.
        while let word = words.next(in: bytes) {
            if KernelText.equals(bytes, word, "-") { break }
        }
        guard let type = words.next(in: bytes), KernelText.equals(bytes, type, "cgroup2") else { return nil }
        let superOptions = words.next(in: bytes) == nil ? nil : words.next(in: bytes)
        let isReadOnly =
            has(option: "ro", in: options, of: bytes)
            || superOptions.map { has(option: "ro", in: $0, of: bytes) } ?? false
        return Mount(
            mountPoint: unescaped(bytes, mountPoint), root: unescaped(bytes, root), isReadOnly: isReadOnly)
    }

    private static func has(option: StaticString, in range: Range<Int>, of bytes: Span<UInt8>) -> Bool {
        var start = range.lowerBound
        for index in range where bytes[index] == UInt8(ascii: ",") {
            if KernelText.equals(bytes, start..<index, option) { return true }
            start = index + 1
        }
        return KernelText.equals(bytes, start..<range.upperBound, option)
    }

    /// The kernel writes space, tab, line end and backslash as a backslash and three octal digits.
    private static func unescaped(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        var plain: [UInt8] = []
        plain.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == UInt8(ascii: "\\"), index + 3 < range.upperBound,
                let high = octal(bytes[index + 1]), let middle = octal(bytes[index + 2]),
                let low = octal(bytes[index + 3]), high < 4
            {
                plain.append(high << 6 | middle << 3 | low)
                index += 4
            } else {
                plain.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static func octal(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 8 ? digit : nil
    }

    /// All cgroup v2 mounts of this process that are not hidden by a later mount on the same place.
    ///
    /// Throws what reading `/proc/self/mountinfo` throws.
    public static func all() throws(CgroupError) -> [Mount] {
        let mounts = try KernelFile.readAll("/proc/self/mountinfo") { parse(mountinfo: $0) }
        var visible: [Mount] = []
        for mount in mounts {
            visible.removeAll { $0.mountPoint == mount.mountPoint }
            visible.append(mount)
        }
        return visible
    }

    /// The cgroup v2 mount to use: one that shows this process's own cgroup and can be written to, if there is
    /// one; else one that shows it; else the first.
    ///
    /// On a hybrid host this is not `/sys/fs/cgroup`. Throws `ENOENT` if there is none.
    public static func find() throws(CgroupError) -> Mount {
        let mounts = try all()
        let own = try? OwnPlace.find()
        let reaching = mounts.filter { mount in own.map { mount.directory(of: $0) != nil } ?? false }
        guard let mount = reaching.first(where: { !$0.isReadOnly }) ?? reaching.first ?? mounts.first else {
            throw CgroupError(
                operation: "find a cgroup2 mount in", path: "/proc/self/mountinfo", errno: ENOENT)
        }
        return mount
    }

    /// Where the cgroup `place`, a path from the root of our cgroup namespace, is seen under this mount.
    ///
    /// `nil` if this mount does not show it: it was bound from another part of the hierarchy, or the cgroup is
    /// outside our namespace.
    public func directory(of place: String) -> String? {
        let wanted = PathText.components(of: place)
        let shown = PathText.components(of: root)
        // Not ==, to which two ways to write the same letter are one name.
        guard wanted.starts(with: shown, by: { $0.utf8.elementsEqual($1.utf8) }) else { return nil }
        let rest = wanted.dropFirst(shown.count)
        guard !rest.contains("..") else { return nil }
        if rest.isEmpty { return mountPoint }
        return (mountPoint == "/" ? "" : mountPoint) + "/" + rest.joined(separator: "/")
    }
}
