internal import Glibc

/// A file descriptor with one owner, closed when that goes.
package struct Descriptor: ~Copyable, Sendable {
    package let number: Int32

    package init(owning number: Int32) {
        self.number = number
    }

    /// Takes what a system call returned: a descriptor, or a negative number.
    init(_ result: Int32, operation: String, errno error: Int32) throws(SupervisorError) {
        guard result >= 0 else {
            throw SupervisorError(
                .system, "cannot \(operation): \(String(cString: strerror(error))) (errno \(error))",
                errno: error)
        }
        number = result
    }

    deinit {
        close(number)
    }
}
