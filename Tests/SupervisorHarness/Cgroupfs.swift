internal import CLinux
internal import Glibc

/// The cgroup2 file system as a test sees it: plain paths, nothing of the code under test.
package enum Cgroupfs {
    /// Where cgroup2 is mounted, and which part of the hierarchy that mount shows.
    package struct Mount: Sendable {
        package let point: String
        package let root: String

        /// The directory of a path as `/proc/PID/cgroup` writes it.
        package func directory(_ path: String) -> String {
            let shown = root == "/" ? path : String(path.dropFirst(root.count))
            return shown == "/" || shown.isEmpty ? point : point + shown
        }
    }

    package static func mount() throws -> Mount {
        for line in (TextFile.read("/proc/self/mountinfo") ?? "").split(separator: "\n") {
            let halves = line.split(separator: " - ", maxSplits: 1).map(String.init)
            let parts = line.split(separator: " ")
            if halves.count == 2, halves[1].hasPrefix("cgroup2 "), parts.count > 4 {
                return Mount(point: String(parts[4]), root: String(parts[3]))
            }
        }
        throw HarnessFailure("no cgroup2 is mounted here")
    }

    /// The names of the cgroups right below a directory; nil where that does not exist.
    package static func children(of directory: String) -> [String]? {
        TextFile.names(in: directory)?.filter { isDirectory("\(directory)/\($0)") }
    }

    /// How many cgroups there are below a directory, at any depth.
    package static func count(below directory: String) -> Int {
        (children(of: directory) ?? []).reduce(0) { $0 + 1 + count(below: "\(directory)/\($1)") }
    }

    /// The processes in a cgroup, not in those below it.
    package static func processes(in directory: String) -> [Int32] {
        (TextFile.read("\(directory)/cgroup.procs") ?? "").split(separator: "\n").compactMap { Int32($0) }
    }

    /// The processes in a cgroup and in all below it.
    package static func allProcesses(in directory: String) -> [Int32] {
        (children(of: directory) ?? []).reduce(processes(in: directory)) {
            $0 + allProcesses(in: "\(directory)/\($1)")
        }
    }

    package static func exists(_ directory: String) -> Bool { isDirectory(directory) }

    /// Kills what is in a cgroup, waits until it is empty, and removes it with all below it.
    package static func clear(_ directory: String, seconds: Int = 20) throws {
        guard isDirectory(directory) else { return }
        let error = TextFile.write("1", to: "\(directory)/cgroup.kill")
        guard error == 0 || error == ENOENT || error == ENODEV else {
            throw HarnessFailure("cannot kill \(directory): errno \(error)")
        }
        try waitUntilEmpty(directory, seconds: seconds)
        try removeTree(directory)
    }

    /// Waits for `populated 0`.
    package static func waitUntilEmpty(_ directory: String, seconds: Int = 20) throws {
        let descriptor = open("\(directory)/cgroup.events", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENODEV { return }
            throw HarnessFailure("cannot open \(directory)/cgroup.events: errno \(errno)")
        }
        defer { close(descriptor) }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, 0)
            if count < 0 { return }  // ENODEV: it was removed.
            if String(decoding: buffer[..<count], as: UTF8.self).contains("populated 0") { return }
            let left = deadline - .now
            guard left > .zero else {
                throw HarnessFailure(
                    "\(directory) did not become empty: \(allProcesses(in: directory)) are still in it")
            }
            var request = pollfd(fd: descriptor, events: Int16(POLLPRI), revents: 0)
            _ = poll(&request, 1, left.milliseconds)
        }
    }

    private static func removeTree(_ directory: String) throws {
        for child in children(of: directory) ?? [] { try removeTree("\(directory)/\(child)") }
        guard rmdir(directory) == 0 || errno == ENOENT else {
            throw HarnessFailure("cannot remove \(directory): errno \(errno)")
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}

extension Duration {
    /// For poll(2): rounded up, never negative, at most a day.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 86400 else { return 86_400_000 }
        return Int32(seconds) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
