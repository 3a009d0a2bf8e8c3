internal import CLinux
internal import Glibc

/// A supervisor that another program started as a part of itself ends with it.
package enum ParentWatch {
    /// From now on the end of the parent is a request to stop, a SIGTERM (PR_SET_PDEATHSIG of prctl(2)). More
    /// exactly it is the end of the thread that started us. An upgrade in place keeps it.
    ///
    /// - Parameter parent: the parent's process ID: only who knows it can tell that it had not ended before.
    /// - Throws: ``SupervisorError`` where the parent is another one by now.
    package static func begin(_ parent: Int32) throws(SupervisorError) {
        let error = linux_signal_at_end_of_parent(SIGTERM)
        guard error == 0 else {
            throw SupervisorError(.system, "cannot watch the parent: prctl PR_SET_PDEATHSIG: errno \(-error)")
        }
        guard getppid() == parent else {
            throw SupervisorError(
                .system, "--stop-with-parent \(parent): that is not the parent, or it has ended already")
        }
    }
}
