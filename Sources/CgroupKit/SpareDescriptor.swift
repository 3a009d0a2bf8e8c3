import CLinux
import Glibc
import Synchronization

/// A descriptor held back for when a process may have no other (EMFILE, ENFILE): what is read of a cgroup to know why a
/// worker died, or written to kill one, is closed again at once, so that one is enough.
package enum SpareDescriptor {
    private struct State {
        var users = 0
        /// Nil while it is lent, or nobody asked for it.
        var descriptor: Int32?
    }

    private static let state = Mutex(State())

    /// What was opened, perhaps in the place of the spare one.
    struct Opened {
        /// -errno where it could not be opened.
        let descriptor: Int32
        fileprivate let isInPlaceOfTheSpare: Bool

        func close() {
            if descriptor >= 0 { Glibc.close(descriptor) }
            if isInPlaceOfTheSpare { SpareDescriptor.refill() }
        }
    }

    /// Holds one back from now on, until ``drop()``. Each user of this process asks for itself.
    package static func keep() {
        state.withLock { $0.users += 1 }
        refill()
    }

    /// The opposite of ``keep()``.
    package static func drop() {
        state.withLock { state in
            state.users -= 1
            guard state.users == 0, let descriptor = state.descriptor else { return }
            close(descriptor)
            state.descriptor = nil
        }
    }

    /// Opens something that is closed again soon.
    ///
    /// - Parameter open: returns a descriptor, or below zero with `errno` set.
    static func open(_ open: () -> Int32) -> Opened {
        let first = open()
        guard first < 0 else { return Opened(descriptor: first, isInPlaceOfTheSpare: false) }
        let error = errno
        guard error == EMFILE || error == ENFILE, giveUp() else {
            return Opened(descriptor: -error, isInPlaceOfTheSpare: false)
        }
        let second = open()
        return Opened(descriptor: second < 0 ? -errno : second, isInPlaceOfTheSpare: true)
    }

    private static func giveUp() -> Bool {
        state.withLock { state in
            guard let descriptor = state.descriptor else { return false }
            close(descriptor)
            state.descriptor = nil
            return true
        }
    }

    /// Where that fails, somebody was faster; the next one that is closed makes room for it.
    private static func refill() {
        state.withLock { state in
            guard state.users > 0, state.descriptor == nil else { return }
            let descriptor = Glibc.open("/", LINUX_O_PATH | O_CLOEXEC)
            if descriptor >= 0 { state.descriptor = descriptor }
        }
    }
}
