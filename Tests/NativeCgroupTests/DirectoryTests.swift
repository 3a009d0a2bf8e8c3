import CLinux
import CSupervisorHarness
import CgroupKit
import Glibc
import Testing

extension NativeCgroup {
    /// What may be opened beneath a cgroup, with openat2(2) and where a service's seccomp filter answers ENOSYS for it.
    @Suite(.serialized) struct Directories {
        @Test func noLinkIsFollowedAndNothingAboveIsReached() throws {
            try expectNoEscape()
        }

        @Test func theSameHoldsWithoutOpenat2() async {
            await #expect(processExitsWith: .success) {
                try refuseOpenat2()
                // A process so young has threads that still open files: a sanitizer looks at /proc/self/maps for each.
                try #require(harness_unshare_descriptors() == 0)
                try expectNoEscape()
            }
        }

        @Test func aNestedCgroupIsSignalledAndRemovedWithoutOpenat2() async {
            await #expect(processExitsWith: .success) {
                try refuseOpenat2()
                try withTestCgroup { own in
                    let outer = try own.makeChild("outer")
                    let inner = try outer.makeChild("inner").makeChild("innermost")
                    var specification = ProcessSpecification(
                        executable: "/bin/sleep", arguments: ["sleep", "1000"], environment: [])
                    specification.mode = .sharesMemory
                    let sleeper = try inner.spawn(PreparedProcess(specification))
                    #expect(try own.signalAll(SIGTERM) == 1)
                    #expect(try waitForExit(sleeper.pidfd) == .signaled(SIGTERM, coreDumped: false))
                    try own.waitUntilEmpty(timeoutMicroseconds: 10_000_000)
                    try own.removeChild("outer")
                    #expect(try own.children() == [])
                }
            }
        }
    }
}

private func refuseOpenat2() throws {
    try #require(harness_refuse_system_call(UInt32(SYS_openat2), UInt16(ENOSYS)) == 0)
    try #require(linux_openat2(AT_FDCWD, "/", UInt64(O_RDONLY), 0, 0) == -ENOSYS)
}

/// On a file system that has links, which cgroupfs has not.
private func expectNoEscape() throws {
    var template = Array("/tmp/cgroupkit-test.XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let place = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let made = ["a", "a/b"], links = ["link": "a", "a/out": "/", "a/up": ".."]
    defer {
        for link in links.keys { unlink("\(place)/\(link)") }
        for directory in made.reversed() { rmdir("\(place)/\(directory)") }
        unlink("\(place)/file")
        rmdir(place)
    }
    for directory in made { try #require(mkdir("\(place)/\(directory)", 0o755) == 0) }
    for (link, target) in links { try #require(symlink(target, "\(place)/\(link)") == 0) }
    let file = open("\(place)/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    try #require(file >= 0)
    close(file)
    let directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    try #require(directory >= 0)
    defer { close(directory) }

    let before = try openDescriptors()
    for path in [".", "a", "a/b", "./a//b/", "a/./b"] {
        let opened = Cgroup.openDirectory(path, beneath: directory)
        try #require(opened >= 0, "\(path): errno \(-opened)")
        #expect(fcntl(opened, F_GETFD) == FD_CLOEXEC)
        var expected = Glibc.stat()
        var status = Glibc.stat()
        #expect(fstat(opened, &status) == 0 && stat("\(place)/\(path)", &expected) == 0)
        #expect(status.st_ino == expected.st_ino && status.st_dev == expected.st_dev, "\(path)")
        close(opened)
    }
    for path in ["link", "link/b", "a/out", "a/out/tmp", "a/up", "a/up/a", "link/."] {
        let refused = Cgroup.openDirectory(path, beneath: directory)
        #expect(refused == -ELOOP || refused == -ENOTDIR, "\(path): \(refused)")
    }
    for path in [
        "..", "/", "/tmp", "a/../..", "../\(place.split(separator: "/").last ?? "")", "a/b/../../..",
    ] {
        #expect(Cgroup.openDirectory(path, beneath: directory) == -EXDEV, "\(path)")
    }
    #expect(Cgroup.openDirectory("", beneath: directory) == -ENOENT)
    #expect(Cgroup.openDirectory("none", beneath: directory) == -ENOENT)
    #expect(Cgroup.openDirectory("none/b", beneath: directory) == -ENOENT)
    #expect(Cgroup.openDirectory("file", beneath: directory) == -ENOTDIR)
    #expect(Cgroup.openDirectory("file/b", beneath: directory) == -ENOTDIR)
    #expect(try openDescriptors() == before)
}
