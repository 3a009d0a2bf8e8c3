import CLinux
import CgroupKit
import Glibc
import Testing

/// All native tests, one after the other: they count descriptors and share the process's signal mask.
@Suite(.serialized) struct NativeCgroup {}

/// A cgroup of the test's own beneath the hierarchy's root, removed with all that is in it at the end.
func withTestCgroup(_ body: (borrowing Cgroup) throws -> Void) throws {
    let parent = try Cgroup.open(Mount.find().mountPoint)
    let name = "cgroupkit-test-\(getpid())"
    let own = try parent.makeChild(name)
    defer {
        #expect(throws: Never.self) {
            try own.kill()
            try own.waitUntilEmpty(timeoutMicroseconds: 10_000_000)
            try parent.removeChild(name)
        }
    }
    try body(own)
}

/// Calls `body` with a controller that `cgroup` may give to its children; brings one down from its parent if it
/// has none yet. One that bars processes from inner nodes; cpu, cpuset and pids do not.
func withController(in cgroup: borrowing Cgroup, _ body: (Controllers) throws -> Void) throws {
    let parent = try Cgroup.open("\(cgroup.path)/..")
    let wanted: Controllers = [.hugetlb, .memory, .io]
    func first(of controllers: Controllers) -> Controllers? {
        [.hugetlb, .memory, .io].first { controllers.contains($0) }
    }
    if let own = first(of: try cgroup.controllers()) { return try body(own) }
    let controller = try #require(first(of: try parent.controllers()), "none of \(wanted) is to be had")
    try parent.enable(controller)
    defer { #expect(throws: Never.self) { try parent.disable(controller) } }
    try body(controller)
}

/// A pipe whose ends are close-on-exec and closed at the end of the value.
struct Pipe: ~Copyable {
    let reading: Int32
    private(set) var writing: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(linux_pipe2(&ends, O_CLOEXEC) == 0)
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        if writing >= 0 { close(writing) }
    }

    mutating func closeWriting() {
        close(writing)
        writing = -1
    }

    /// Closes our writing end and reads until nobody has one.
    mutating func readToEnd() throws -> String {
        closeWriting()
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(reading, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            try #require(count >= 0)
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }
}

/// Waits for the end of a child.
func waitForExit(_ pidfd: Int32, milliseconds: Int32 = 10_000) throws -> ProcessExit {
    var wait = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    try #require(poll(&wait, 1, milliseconds) == 1, "the child did not end")
    return try #require(try reap(pidfd: pidfd))
}

/// Runs a program in a cgroup to its end. Returns what it printed, and how it ended.
func run(
    _ arguments: [String], in cgroup: borrowing Cgroup, mode: ProcessSpecification.Mode = .sharesMemory,
    _ change: (inout ProcessSpecification) -> Void = { _ in }
) throws -> (output: String, exit: ProcessExit) {
    var pipe = try Pipe()
    var specification = ProcessSpecification(
        executable: arguments[0], arguments: arguments, environment: ["PATH=/usr/bin:/bin"])
    specification.mode = mode
    specification.descriptors = [.init(source: pipe.writing, target: 1)]
    change(&specification)
    let process = try cgroup.spawn(PreparedProcess(specification))
    let output = try pipe.readToEnd()
    return (output, try waitForExit(process.pidfd))
}

/// Of this thread, which may have a table of its own.
func openDescriptors() throws -> [String] {
    let directory = try #require(opendir("/proc/thread-self/fd"))
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != "..", name != "\(dirfd(directory))" { names.append(name) }
    }
    return names.sorted()
}
