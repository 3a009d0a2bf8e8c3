internal import Glibc

/// Descriptors 0, 1 and 2 of a program, which whoever started it may have closed.
public enum StandardDescriptors {
    /// Opens /dev/null in the place of those that are closed: else the next descriptor opened would take the
    /// place, be written to as a log, and be handed on to workers. For a program's `main`, before anything is
    /// opened.
    ///
    /// - Throws: ``SupervisorError`` where /dev/null cannot be opened.
    public static func fill() throws(SupervisorError) {
        while true {
            // The lowest number that is free. Not close-on-exec: workers inherit all three.
            let descriptor = open("/dev/null", O_RDWR)
            guard descriptor >= 0 else {
                throw SupervisorError(
                    .system,
                    "cannot open /dev/null, which descriptors 0 to 2 need: \(String(cString: strerror(errno)))"
                )
            }
            guard descriptor > 2 else { continue }
            close(descriptor)
            return
        }
    }

    /// Puts /dev/null in the place of a terminal on standard input. Workers have sessions of their own, so the
    /// terminal would let them take what is typed for the shell. A file or a pipe stays.
    public static func leaveKeyboard() {
        guard isatty(STDIN_FILENO) == 1 else { return }
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        // Nothing is lost where it cannot be: the workers see the terminal then.
        _ = dup2(descriptor, STDIN_FILENO)
        close(descriptor)
    }
}
