internal import CLinux
internal import CgroupKit
internal import Glibc

/// Workers that systemd kept the descriptors of while there was no supervisor.
package enum StoredWorker {
    /// Before the names in the store, behind ``DescriptorStore/prefix``.
    static let prefix = "worker."

    /// Which of its descriptors one is.
    package enum Kind: String {
        case process, reports
    }

    // MARK: Names

    /// `GROUP.SLOT.NUMBER.KIND`; of a group's name what is not plain is written as its bytes, for a name in the store is
    /// ASCII without colons (FDNAME= of sd_notify(3)).
    package static func name(group: String, slot: Int, number: Int, _ kind: Kind) -> String {
        let plain = group.utf8.map { byte -> String in
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                scalar.isASCII
                && (scalar.properties.isAlphabetic || "0123456789_-".unicodeScalars.contains(scalar))
            return isPlain ? String(scalar) : "%\(byte)."
        }
        return "\(prefix)\(plain.joined()).\(slot).\(number).\(kind.rawValue)"
    }

    // MARK: Found again

    /// Those among what was passed that run, in one of these groups and in the cgroup of their own beneath `root`. Of the
    /// others the descriptors are closed; systemd forgets by itself what has ended.
    ///
    /// - Parameters:
    ///   - passed: what was passed; all that is a worker's is taken out.
    ///   - root: the supervisor's place in the hierarchy, as `/proc/PID/cgroup` writes it.
    static func find(
        _ passed: inout PassedDescriptors, of groups: [GroupConfiguration], root: String
    ) -> [Adoptee] {
        var found: [String: Int32] = [:]
        for item in passed.take(named: DescriptorStore.prefix + prefix) {
            if let twice = found.updateValue(item.descriptor, forKey: item.name) { close(twice) }
        }
        var workers: [Adoptee] = []
        for group in groups {
            for key in keys(of: group, in: found.keys) {
                func take(_ kind: Kind) -> Int32? {
                    let name = name(group: key.group, slot: key.slot, number: key.number, kind)
                    return found.removeValue(forKey: String(name.dropFirst(prefix.count)))
                }
                guard let pidfd = take(.process) else { continue }
                let reports = take(.reports)
                guard let pid = runningProcess(of: pidfd),
                    (try? OwnPlace.find(of: pid)) == "\(root)/\(key.group)/\(key.directory)"
                else {
                    close(pidfd)
                    if let reports { close(reports) }
                    continue
                }
                workers.append(Adoptee(key, pid: pid, pidfd: pidfd, reports: reports))
            }
        }
        for descriptor in found.values { close(descriptor) }
        return workers
    }

    /// The newest incarnation of each slot, from the names in the store behind ``prefix``.
    package static func newest(
        of group: GroupConfiguration, in names: some Sequence<String>
    ) -> [Int: Int] {
        Dictionary(uniqueKeysWithValues: keys(of: group, in: names).map { ($0.slot, $0.number) })
    }

    /// The newest incarnation of each slot that the group has now.
    private static func keys(of group: GroupConfiguration, in names: some Sequence<String>) -> [Adoptee.Key] {
        var newest: [Int: Int] = [:]
        for name in names {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count >= 4, let slot = Int(parts[parts.count - 3]),
                slot >= 1, slot <= group.workers,
                let number = Int(parts[parts.count - 2]), number >= 1,
                name
                    == Self.name(group: group.name, slot: slot, number: number, .process).dropFirst(
                        prefix.count)
            else { continue }
            newest[slot] = max(newest[slot] ?? 0, number)
        }
        return newest.map { Adoptee.Key(group: group.name, slot: $0.key, number: $0.value) }
    }

    /// The process ID of a pidfd whose process has not ended (pidfd_open(2)).
    private static func runningProcess(of pidfd: Int32) -> Int32? {
        guard !hasEnded(pidfd: pidfd), let text = read("/proc/self/fdinfo/\(pidfd)") else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("Pid:") }
        return line.flatMap { Int32($0.dropFirst(4).drop { $0 == "\t" || $0 == " " }) }.flatMap {
            $0 > 0 ? $0 : nil
        }
    }

    private static func read(_ path: String) -> String? {
        (try? BoundedFile.read(path)).map { String(decoding: $0, as: UTF8.self) }
    }
}
