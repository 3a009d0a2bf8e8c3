import CLinux
import CgroupKit
import Glibc
import Testing

extension NativeCgroup {
    @Suite(.serialized) struct Placement {
        /// 100 starts in each mode, each process, its child and its double-forked grandchild seen in the cgroup
        /// by themselves.
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
    }
}
