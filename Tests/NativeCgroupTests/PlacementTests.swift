import CLinux
import CgroupKit
import Glibc
import Testing

extension NativeCgroup {
    /// `Cgroup.spawn`: where a process comes to be.
    @Suite(.serialized) struct Placement {
        /// 100 starts in each mode; each process, its child and its double-forked grandchild says itself where
        /// it is.
        @Test(arguments: ProcessSpecification.Mode.allCases)
        func everyProcessOfAWorkerIsInItsCgroup(mode: ProcessSpecification.Mode) throws {
            let script = """
                while read -r line; do echo "$line"; done < /proc/$$/cgroup
                cat /proc/self/cgroup
                (cat /proc/self/cgroup &)
                """
            try withTestCgroup { own in
                for number in 1...100 {
                    let name = "worker.\(number)"
                    let leaf = try own.makeChild(name)
                    let (output, exit) = try run(["/bin/sh", "-c", script], in: leaf, mode: mode)
                    #expect(exit == .exited(0))
                    let places = output.split(separator: "\n").filter { $0.hasPrefix("0::") }
                    #expect(places.count == 3)
                    #expect(places.allSatisfy { $0.hasSuffix("/\(name)") }, "\(places)")
                    try leaf.waitUntilEmpty(timeoutMicroseconds: 10_000_000)
                    try own.removeChild(name)
                }
                #expect(try own.children() == [])
            }
        }

        /// Four threads start processes at the same time, sharing one stack at most one at a time.
        @Test(arguments: ProcessSpecification.Mode.allCases)
        func threadsMayStartProcessesAtTheSameTime(mode: ProcessSpecification.Mode) async throws {
            let parent = try Cgroup.open(Mount.find().mountPoint)
            let name = "cgroupkit-threads-\(getpid())"
            let path = try parent.makeChild(name).path
            let outputs = try await withThrowingTaskGroup(of: [String].self) { group in
                for thread in 1...4 {
                    group.addTask {
                        let leaf = try Cgroup.open(path).makeChild("thread.\(thread)")
                        return try (1...50).map { _ in
                            try run(["/bin/cat", "/proc/self/cgroup"], in: leaf, mode: mode).output
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            for thread in 1...4 {
                #expect(outputs.filter { $0.contains("/\(name)/thread.\(thread)\n") }.count == 50)
            }
            try Cgroup.open(path).waitUntilEmpty(timeoutMicroseconds: 10_000_000)
            try parent.removeChild(name)
        }

        /// A plain clone does not stop its caller, though the new process cannot take a step.
        @Test func aFrozenCgroupDoesNotHoldUpACopy() throws {
            try withTestCgroup { own in
                let leaf = try own.makeChild("frozen")
                try leaf.setFrozen(true)
                var specification = ProcessSpecification(
                    executable: "/bin/true", arguments: ["true"], environment: [])
                specification.mode = .copiesMemory
                let process = try leaf.spawn(PreparedProcess(specification))
                let maybe = process.statusPipe
                let statusPipe = try #require(maybe)
                #expect(try StartStatus.read(statusPipe) == .pending)
                #expect(try reap(pidfd: process.pidfd) == nil)
                #expect(try leaf.processes() == [process.pid])
                try leaf.setFrozen(false)
                var wait = pollfd(fd: statusPipe, events: Int16(POLLIN), revents: 0)
                #expect(poll(&wait, 1, 10_000) == 1)
                #expect(try StartStatus.read(statusPipe) == .started)
                #expect(try waitForExit(process.pidfd) == .exited(0))
            }
        }
    }
}
