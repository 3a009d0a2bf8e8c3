import CLinux
import CgroupKit
import Glibc
import Testing

/// A process that does nothing until it is killed. It has exec'd.
private func sleeper(in cgroup: borrowing Cgroup, ignoring: String = "") throws -> PlacedProcess {
    var pipe = try Pipe()
    var specification = ProcessSpecification(
        executable: "/bin/sh", arguments: ["sh", "-c", "\(ignoring) echo; exec sleep 1000"],
        environment: ["PATH=/usr/bin:/bin"])
    specification.descriptors = [.init(source: pipe.writing, target: 1)]
    let placed = try cgroup.spawn(PreparedProcess(specification))
    pipe.closeWriting()
    var byte: UInt8 = 0
    try #require(read(pipe.reading, &byte, 1) == 1)
    return placed
}

extension NativeCgroup {
    /// `Cgroup` itself: made, found, emptied, removed.
    @Suite(.serialized) struct LifeCycle {
        @Test func oursIsFoundAndIsACgroup() throws {
            let mount = try Mount.find()
            #expect(try Cgroup.open(mount.mountPoint).isHierarchyRoot)
            let directory = try OwnPlace.directory()
            #expect(try Cgroup.open(directory).processes().contains(getpid()))
            try withTestCgroup { own in
                let isRoot = own.isHierarchyRoot
                #expect(!isRoot)
            }
        }

        @Test func anotherDirectoryIsNoCgroup() throws {
            let error = #expect(throws: CgroupError.self) { _ = try Cgroup.open("/tmp") }
            #expect(error?.errno == EMEDIUMTYPE)
            #expect(
                error?.description
                    == "cannot open /tmp: Wrong medium type (EMEDIUMTYPE: this is not a cgroup v2 file system)"
            )
        }

        @Test func childrenAreMadeFoundAndRemoved() throws {
            try withTestCgroup { own in
                _ = try own.makeChild("a")
                _ = try own.makeChild("b")
                #expect(try own.children().sorted() == ["a", "b"])
                let again = #expect(throws: CgroupError.self) { _ = try own.makeChild("a") }
                #expect(again?.errno == EEXIST)
                #expect(try own.openChild("a").events() == CgroupEvents(populated: false, frozen: false))
                #expect(try own.cgroupStat().descendants == 2)
                try own.removeChild("a")
                try own.removeChild("b")
                #expect(try own.children() == [])
                let gone = #expect(throws: CgroupError.self) { try own.removeChild("a") }
                #expect(gone?.errno == ENOENT)
            }
        }

        @Test(arguments: ["", ".", "..", "a/b", "/", "a\nb", "a\0b", "../escape"])
        func aNameIsOneComponent(name: String) throws {
            try withTestCgroup { own in
                let made = #expect(throws: CgroupError.self) { _ = try own.makeChild(name) }
                #expect(made?.errno == EINVAL)
                let opened = #expect(throws: CgroupError.self) { _ = try own.openChild(name) }
                #expect(opened?.errno == EINVAL)
                let removed = #expect(throws: CgroupError.self) { try own.removeChild(name) }
                #expect(removed?.errno == EINVAL)
            }
        }

        /// A delegatee's own cgroups go too: 3 wide and 3 deep, and a chain of 200.
        @Test func removalTakesWhatIsBeneath() throws {
            try withTestCgroup { own in
                let descriptors = try openDescriptors()
                let tree = try own.makeChild("tree")
                for first in 1...3 {
                    let child = try tree.makeChild("\(first)")
                    for second in 1...3 { _ = try child.makeChild("\(second)").makeChild("leaf") }
                }
                var path = "\(tree.path)/chain"
                _ = try tree.makeChild("chain")
                for number in 1...200 {
                    _ = try Cgroup.open(path).makeChild("\(number)")
                    path += "/\(number)"
                }
                #expect(try tree.cgroupStat().descendants == 222)
                try own.removeChild("tree")
                #expect(try own.children() == [])
                let removed = #expect(throws: CgroupError.self) { _ = try tree.events() }
                #expect(removed?.errno == ENODEV)
                #expect(try openDescriptors().count == descriptors.count + 1)
            }
        }

        @Test func aPopulatedCgroupIsNotRemoved() throws {
            try withTestCgroup { own in
                let leaf = try own.makeChild("outer").makeChild("inner")
                let process = try sleeper(in: leaf)
                let busy = #expect(throws: CgroupError.self) { try own.removeChild("outer") }
                #expect(busy?.errno == EBUSY)
                #expect(
                    busy?.description
                        == "cannot remove \(leaf.path): Device or resource busy (EBUSY: a process or a cgroup is "
                        + "still in it)")
                let late = #expect(throws: CgroupError.self) {
                    try leaf.waitUntilEmpty(timeoutMicroseconds: 20_000)
                }
                #expect(late?.errno == ETIMEDOUT)
                try leaf.kill()
                try leaf.waitUntilEmpty(timeoutMicroseconds: 10_000_000)
                // Its zombie, not yet reaped, holds nothing up.
                try own.removeChild("outer")
                #expect(try waitForExit(process.pidfd) == .signaled(SIGKILL, coreDumped: false))
            }
        }

        @Test func killTakesForksAndDescendants() throws {
            try withTestCgroup { own in
                let fork = "for i in 1 2 3 4 5; do sleep 1000 & done; echo; exec sleep 1000"
                var pipe = try Pipe()
                var specification = ProcessSpecification(
                    executable: "/bin/sh", arguments: ["sh", "-c", fork], environment: ["PATH=/usr/bin:/bin"])
                specification.descriptors = [.init(source: pipe.writing, target: 1)]
                let leaf = try own.makeChild("leaf")
                let process = try leaf.spawn(PreparedProcess(specification))
                let deeper = try sleeper(in: leaf.makeChild("deeper"))
                pipe.closeWriting()
                var byte: UInt8 = 0
                try #require(read(pipe.reading, &byte, 1) == 1)
                #expect(try leaf.processes().count == 6)
                try own.kill()
                try own.waitUntilEmpty(timeoutMicroseconds: 10_000_000)
                #expect(try leaf.processes() == [])
                #expect(try waitForExit(process.pidfd) == .signaled(SIGKILL, coreDumped: false))
                #expect(try waitForExit(deeper.pidfd) == .signaled(SIGKILL, coreDumped: false))
                try own.removeChild("leaf")
            }
        }

        @Test func aSignalReachesAllWithinAndNoneOutside() throws {
            try withTestCgroup { own in
                let outside = try sleeper(in: own.makeChild("outside"))
                let leaf = try own.makeChild("leaf")
                let first = try sleeper(in: leaf)
                let second = try sleeper(in: leaf.makeChild("a").makeChild("b"))
                let deaf = try sleeper(in: leaf, ignoring: "trap '' TERM;")
                let descriptors = try openDescriptors()
                #expect(try leaf.signalAll(SIGTERM) == 3)
                #expect(try openDescriptors() == descriptors)
                #expect(try waitForExit(first.pidfd) == .signaled(SIGTERM, coreDumped: false))
                #expect(try waitForExit(second.pidfd) == .signaled(SIGTERM, coreDumped: false))
                #expect(try reap(pidfd: deaf.pidfd) == nil)
                #expect(try reap(pidfd: outside.pidfd) == nil)
                try own.kill()
                #expect(try waitForExit(deaf.pidfd) == .signaled(SIGKILL, coreDumped: false))
                #expect(try waitForExit(outside.pidfd) == .signaled(SIGKILL, coreDumped: false))
            }
        }

        @Test func aProcessCanBeMoved() throws {
            try withTestCgroup { own in
                let from = try own.makeChild("from")
                let to = try own.makeChild("to")
                let process = try sleeper(in: from)
                try to.move(process: process.pid)
                #expect(try to.processes() == [process.pid])
                #expect(try !from.events().populated)
                for wrong: Int32 in [0, -1] {
                    let error = #expect(throws: CgroupError.self) { try to.move(process: wrong) }
                    #expect(error?.errno == EINVAL)
                }
                try to.kill()
                #expect(try waitForExit(process.pidfd) == .signaled(SIGKILL, coreDumped: false))
                let gone = #expect(throws: CgroupError.self) { try to.move(process: process.pid) }
                #expect(gone?.errno == ESRCH)
                #expect(
                    gone?.description
                        == "cannot write '\(process.pid)' to \(to.path)/cgroup.procs: No such process (ESRCH: there is no such process)"
                )
            }
        }

        @Test func controllersAreEnabledAndDisabled() throws {
            try withTestCgroup { own in
                try withController(in: own) { controller in
                    #expect(try own.controllers().isSuperset(of: controller))
                    #expect(try own.subtreeControl() == [])
                    try own.enable(controller)
                    #expect(try own.subtreeControl() == controller)
                    let child = try own.makeChild("child")
                    #expect(try child.controllers() == controller)
                    try own.disable(controller)
                    #expect(try own.subtreeControl() == [])
                    let process = try sleeper(in: own)
                    let busy = #expect(throws: CgroupError.self) { try own.enable(controller) }
                    try own.kill()
                    #expect(try waitForExit(process.pidfd) == .signaled(SIGKILL, coreDumped: false))
                    #expect(
                        busy?.description
                            == "cannot write '+\(controller)' to \(own.path)/cgroup.subtree_control: Device or "
                            + "resource busy (EBUSY: a process is still in this cgroup)")
                    let missing = #expect(throws: CgroupError.self) { try child.enable(controller) }
                    #expect(missing?.errno == ENOENT)
                    #expect(missing?.hint == "this controller is not available here; see cgroup.controllers")
                }
            }
        }

        @Test func aMissingFileIsTold() throws {
            try withTestCgroup { own in
                // One that gives no controller on has a child without any.
                let leaf = try own.makeChild("leaf")
                let missing = #expect(throws: CgroupError.self) { try leaf.setMemoryMax(.bytes(1 << 20)) }
                #expect(missing?.errno == ENOENT)
                #expect(
                    missing?.description
                        == "cannot write '1048576' to \(leaf.path)/memory.max: No such file or directory (ENOENT: "
                        + "the memory controller is not enabled in the parent's cgroup.subtree_control)")
                let unread = #expect(throws: CgroupError.self) { _ = try leaf.memoryEvents() }
                #expect(unread?.errno == ENOENT)
                #expect(unread?.path == "\(leaf.path)/memory.events")
            }
        }

        /// The same files missing, and another reason.
        @Test func aRemovedCgroupIsTold() throws {
            try withTestCgroup { own in
                let leaf = try own.makeChild("leaf")
                let watcher = try CgroupWatcher()
                try own.removeChild("leaf")
                // A new one at the same path is not the same.
                let other = try own.makeChild("leaf")
                #expect(try other.processes() == [])
                let written = #expect(throws: CgroupError.self) { try leaf.setMemoryMax(.max) }
                #expect(written?.errno == ENODEV)
                #expect(
                    written?.description
                        == "cannot write 'max' to \(leaf.path)/memory.max: No such device (ENODEV: this cgroup has "
                        + "been removed)")
                let read = #expect(throws: CgroupError.self) { _ = try leaf.processes() }
                #expect(read?.errno == ENODEV)
                let made = #expect(throws: CgroupError.self) { _ = try leaf.makeChild("a") }
                #expect(made?.errno == ENODEV)
                let opened = #expect(throws: CgroupError.self) { _ = try leaf.openChild("a") }
                #expect(opened?.errno == ENODEV)
                let watched = #expect(throws: CgroupError.self) {
                    _ = try watcher.watch(leaf, "cgroup.events")
                }
                #expect(watched?.errno == ENODEV)
                let waited = #expect(throws: CgroupError.self) {
                    try leaf.waitUntilEmpty(timeoutMicroseconds: 0)
                }
                #expect(waited?.errno == ENODEV)
            }
        }

        @Test func timeIsCounted() throws {
            try withTestCgroup { own in
                let exit = try run(
                    ["/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"], in: own
                ).exit
                #expect(exit == .exited(0))
                let stat = try own.cpuStat()
                #expect(stat.usageMicroseconds > 1000)
                #expect(stat.userMicroseconds <= stat.usageMicroseconds)
                #expect(try own.read("cgroup.controllers") == own.controllers().description)
            }
        }

        /// Pressure is an option of the kernel: it is read, or the error says so.
        @Test(arguments: Pressure.Resource.allCases)
        func pressureIsReadOrToldToBeMissing(resource: Pressure.Resource) throws {
            try withTestCgroup { own in
                do throws(CgroupError) {
                    #expect(try own.pressure(resource).some.totalMicroseconds < 1_000_000)
                } catch {
                    #expect(
                        error.hint == "this kernel has no pressure stall information, or it is switched off")
                }
            }
        }

        /// More text than any buffer begins with.
        @Test func aLongListIsReadWhole() throws {
            try withTestCgroup { own in
                let script =
                    "i=0; while [ $i -lt 400 ]; do sleep 1000 & i=$((i+1)); done; echo; exec sleep 1000"
                var pipe = try Pipe()
                var specification = ProcessSpecification(
                    executable: "/bin/sh", arguments: ["sh", "-c", script],
                    environment: ["PATH=/usr/bin:/bin"])
                specification.descriptors = [.init(source: pipe.writing, target: 1)]
                let process = try own.spawn(PreparedProcess(specification))
                pipe.closeWriting()
                var byte: UInt8 = 0
                try #require(read(pipe.reading, &byte, 1) == 1)
                #expect(Set(try own.processes()).count == 401)
                #expect(try own.signalAll(SIGTERM) == 401)
                #expect(try waitForExit(process.pidfd) == .signaled(SIGTERM, coreDumped: false))
                try own.waitUntilEmpty(timeoutMicroseconds: 10_000_000)
            }
        }
    }

    @Suite(.serialized) struct Lock {
        @Test func anotherHolderIsNamed() throws {
            try withTestCgroup { own in
                let leaf = try own.makeChild("locked")
                var ready = try Pipe()
                let hold = try Pipe()
                var specification = ProcessSpecification(
                    executable: "/usr/bin/flock",
                    arguments: [
                        "flock", "--exclusive", "--no-fork", leaf.path, "sh", "-c", "echo; read line",
                    ],
                    environment: ["PATH=/usr/bin:/bin"])
                specification.descriptors = [
                    .init(source: hold.reading, target: 0), .init(source: ready.writing, target: 1),
                ]
                let process = try own.spawn(PreparedProcess(specification))
                ready.closeWriting()
                var byte: UInt8 = 0
                try #require(read(ready.reading, &byte, 1) == 1)
                #expect(try leaf.lock() == .heldBy(pid: process.pid))
                try #require(write(hold.writing, "\n", 1) == 1)
                #expect(try waitForExit(process.pidfd) == .exited(0))
                #expect(try leaf.lock() == .acquired)
                #expect(try Cgroup.open(leaf.path).lock() == .heldBy(pid: getpid()))
            }
        }

        @Test func itEndsWithTheValue() throws {
            try withTestCgroup { own in
                do {
                    let first = try Cgroup.open(own.path)
                    #expect(try first.lock() == .acquired)
                    #expect(try own.lock() == .heldBy(pid: getpid()))
                }
                #expect(try own.lock() == .acquired)
            }
        }
    }

    @Suite(.serialized) struct Watching {
        /// The events until `wanted` is true, which is asked after each.
        private func drain(_ watcher: borrowing CgroupWatcher, until wanted: ([WatchEvent]) throws -> Bool)
            throws
        {
            var events: [WatchEvent] = []
            while try !wanted(events) {
                var wait = pollfd(fd: watcher.descriptor, events: Int16(POLLIN), revents: 0)
                try #require(poll(&wait, 1, 10_000) == 1, "nothing came")
                try watcher.drain { events.append($0) }
            }
        }

        @Test func populationIsSeen() throws {
            try withTestCgroup { own in
                let watcher = try CgroupWatcher()
                let quiet = try own.makeChild("quiet")
                let leaf = try own.makeChild("leaf")
                let quietWatch = try watcher.watch(quiet, "cgroup.events")
                let watch = try watcher.watch(leaf, "cgroup.events")
                #expect(try watcher.watch(leaf, "cgroup.events") == watch)
                let process = try sleeper(in: leaf)
                try drain(watcher) { events in
                    #expect(!events.contains(.modified(quietWatch)))
                    return try events.contains(.modified(watch)) && leaf.events().populated
                }
                try leaf.kill()
                #expect(try waitForExit(process.pidfd) == .signaled(SIGKILL, coreDumped: false))
                try drain(watcher) { _ in try !leaf.events().populated }
                watcher.unwatch(watch)
                watcher.unwatch(watch)
                try drain(watcher) { $0.contains(.removed(watch)) }
                try watcher.drain { Issue.record("unexpected \($0)") }
            }
        }

        @Test func aMissingFileIsTold() throws {
            try withTestCgroup { own in
                let watcher = try CgroupWatcher()
                let error = #expect(throws: CgroupError.self) { _ = try watcher.watch(own, "nothing.here") }
                #expect(error?.errno == ENOENT)
                #expect(error?.path == "\(own.path)/nothing.here")
            }
        }
    }
}
