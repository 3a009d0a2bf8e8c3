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
}
