internal import CLinux
internal import Glibc

/// Which block device is meant by a path or by numbers.
package enum BlockDevice {
    /// - Parameter text: `/dev/vda` or `8:16`.
    /// - Throws: ``ValueFault`` for what is no whole disk of this machine.
    package static func find(_ text: String) throws(ValueFault) -> (major: UInt32, minor: UInt32) {
        let found = try text.contains("/") ? number(ofFile: text) : number(written: text)
        let place = "/sys/dev/block/\(found.major):\(found.minor)"
        // Where /sys is hidden, as in some containers, the kernel is the one to say it.
        guard access("/sys/dev/block", F_OK) == 0 else { return found }
        guard access(place, F_OK) == 0 else {
            throw ValueFault(
                description: "there is no block device \(text): lsblk lists those of this machine")
        }
        if access("\(place)/partition", F_OK) == 0 {
            throw ValueFault(
                description:
                    "\(text) is a partition, and only a whole disk has limits: name /dev/\(disk(at: place))")
        }
        return found
    }

    private static func number(written text: String) throws(ValueFault) -> (major: UInt32, minor: UInt32) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
        // The kernel has 12 bits for the one and 20 for the other.
        guard parts.count == 2, let major = parts[0], let minor = parts[1], major < 1 << 12, minor < 1 << 20
        else {
            throw ValueFault(
                description:
                    "a device is named by its path, as in /dev/vda, or by its numbers, as in 8:16, not '\(text)'"
            )
        }
        return (major, minor)
    }

    private static func number(ofFile path: String) throws(ValueFault) -> (major: UInt32, minor: UInt32) {
        var status = stat()
        guard !path.utf8.contains(0), stat(path, &status) == 0 else {
            throw ValueFault(description: "there is no device \(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFBLK else {
            throw ValueFault(
                description:
                    "\(path) is no block device: findmnt -T \(path) shows the one that a file lies on")
        }
        // As major(3) and minor(3), which are macros.
        let number = UInt64(status.st_rdev)
        return (
            UInt32(truncatingIfNeeded: (number >> 8) & 0xFFF | (number >> 32) & ~0xFFF),
            UInt32(truncatingIfNeeded: number & 0xFF | (number >> 12) & ~0xFF)
        )
    }

    /// The disk of a partition: its directory lies in the disk's.
    private static func disk(at place: String) -> String {
        var target = [CChar](repeating: 0, count: 1024)
        let count = readlink(place, &target, target.count - 1)
        guard count > 0 else { return "…" }
        let path = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/").dropLast().last.map(String.init) ?? "…"
    }
}
