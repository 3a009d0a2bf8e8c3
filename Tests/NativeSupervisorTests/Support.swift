import Glibc
import SupervisorHarness
import Testing

/// All native tests of the program, one after the other: they share the kernel's hierarchy.
@Suite(.serialized) struct NativeSupervisor {}

/// A supervisor that ended as asked left nothing behind, neither process nor cgroup.
func expectNothingLeft(_ supervisor: SupervisorProcess, sourceLocation: SourceLocation = #_sourceLocation) {
    // The test made the root; what the supervisor made in it is gone.
    #expect(
        Cgroupfs.count(below: supervisor.root) == 0, "\(supervisor.transcript)",
        sourceLocation: sourceLocation)
    #expect(
        Cgroupfs.allProcesses(in: supervisor.root) == [], "\(supervisor.transcript)",
        sourceLocation: sourceLocation)
}
