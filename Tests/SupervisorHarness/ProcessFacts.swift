internal import CLinux
internal import Glibc

/// What /proc says of a process, read from outside.
package struct ProcessFacts: Sendable {
    package let pid: Int32

    package init(_ pid: Int32) {
        self.pid = pid
    }

    /// False once it is gone; a zombie is still there.
    package var exists: Bool { access("/proc/\(pid)", F_OK) == 0 }

    /// The state letter of `/proc/PID/stat`: `S`, `Z`, …; nil where it is gone.
    package var state: Character? {
        guard let text = TextFile.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        return text[text.index(after: end)...].first { $0 != " " }
    }

    /// Alive, and not merely unreaped.
    package var runs: Bool { state.map { $0 != "Z" && $0 != "X" } ?? false }

    /// Waits until it has ended; at once where it is gone already.
    ///
    /// - Returns: false where it did not.
    package func waitForEnd(within patience: Duration = SupervisorProcess.patience) -> Bool {
        let pidfd = linux_pidfd_open(pid, 0)
        guard pidfd >= 0 else { return pidfd == -ESRCH }
        defer { close(pidfd) }
        var request = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, patience.milliseconds) == 1
    }

    /// Its descriptors and what they point to.
    package var descriptors: [Int: String] {
        let directory = "/proc/\(pid)/fd"
        var result: [Int: String] = [:]
        for name in TextFile.names(in: directory) ?? [] {
            guard let number = Int(name) else { continue }
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink("\(directory)/\(name)", &buffer, buffer.count - 1)
            guard count >= 0 else { continue }
            result[number] = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return result
    }

    /// Its path in the cgroup v2 hierarchy.
    package var cgroup: String? {
        TextFile.read("/proc/\(pid)/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::") }
            .map { String($0.dropFirst(3)) }
    }

    /// Kilobytes that are its own and written to, from `smaps_rollup`.
    package var privateDirtyKilobytes: Int? { kilobytes("Private_Dirty:", in: "smaps_rollup") }

    /// Kilobytes resident, from `status`.
    package var residentKilobytes: Int? { kilobytes("VmRSS:", in: "status") }

    /// A line of `/proc/PID/status`, without its name: `SigBlk`, `Threads`, …
    package func status(_ name: String) -> String? {
        TextFile.read("/proc/\(pid)/status")?.split(separator: "\n").first { $0.hasPrefix("\(name):") }
            .map { line in
                String(line.dropFirst(name.count + 1)).split(whereSeparator: \.isWhitespace).joined(
                    separator: " ")
            }
    }

    private func kilobytes(_ name: String, in file: String) -> Int? {
        guard let text = TextFile.read("/proc/\(pid)/\(file)") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        }
        return nil
    }
}
