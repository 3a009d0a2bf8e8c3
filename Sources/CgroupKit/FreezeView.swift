import Glibc

/// Whether a cgroup is frozen, asked again and again with one system call (`cgroup.events`, held open).
package struct FreezeView: ~Copyable, Sendable {
    /// Below zero where the file cannot be had.
    private let file: Int32

    package init(_ cgroup: borrowing Cgroup) {
        file = openat(cgroup.descriptor, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// False where it cannot be known, as of a cgroup that was removed: nothing starts there.
    package var isFrozen: Bool {
        guard file >= 0 else { return false }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
            let count = pread(file, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return false }
            let bytes = Span(_unsafeElements: UnsafeBufferPointer(rebasing: buffer[..<count]))
            return CgroupEvents.parse(bytes)?.frozen == true
        }
    }
}
