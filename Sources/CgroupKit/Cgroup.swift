import CLinux
import Glibc

/// One cgroup of the v2 hierarchy: an open directory, by which it stays the same cgroup even if its path is
/// reused.
///
/// The descriptor is closed with the value. All calls are synchronous and allocate nothing unless they return
/// text or lists. Errors: `ENOENT` for a file says that the controller is not enabled here or the kernel is
/// too old, `ENODEV` that the cgroup has been removed.
///
/// See the kernel's `Documentation/admin-guide/cgroup-v2.rst`.
public struct Cgroup: ~Copyable, Sendable {
    /// Where it was found; for messages. The descriptor says which cgroup it is.
    public let path: String
    /// The directory, close-on-exec. Owned by this value: do not close it.
    public let descriptor: Int32

    init(path: String, owning descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    /// Takes a directory that is open already, as by another image of this program before exec.
    package init(path: String, adopting descriptor: Int32) {
        self.init(path: path, owning: descriptor)
    }

    deinit { close(descriptor) }

    /// Opens the cgroup at `path`.
    ///
    /// Throws `ENOENT`, `EACCES` and others of open(2), and `EMEDIUMTYPE` if it is a directory of something
    /// other than cgroup v2.
    public static func open(_ path: String) throws(CgroupError) -> Cgroup {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CgroupError(operation: "open", path: path, errno: errno) }
        let cgroup = Cgroup(path: path, owning: descriptor)
        var system = statfs()
        guard fstatfs(descriptor, &system) == 0 else {
            throw CgroupError(operation: "open", path: path, errno: errno)
        }
        guard Int64(system.f_type) == LINUX_CGROUP2_SUPER_MAGIC else {
            throw CgroupError(operation: "open", path: path, errno: EMEDIUMTYPE)
        }
        return cgroup
    }

    /// Makes a cgroup beneath this one and opens it. Whether it has controllers is this one's
    /// `cgroup.subtree_control`'s to say.
    ///
    /// Throws `EEXIST` if there is one already, `EAGAIN` at `cgroup.max.descendants`, and `EINVAL` for a name
    /// that is no single path component.
    public borrowing func makeChild(_ name: String) throws(CgroupError) -> Cgroup {
        try check(name: name, for: "make")
        guard mkdirat(descriptor, name, 0o755) == 0 else {
            let code = KernelFile.reason(errno, beneath: descriptor)
            throw CgroupError(operation: "make", path: "\(path)/\(name)", errno: code)
        }
        do throws(CgroupError) {
            return try openChild(name)
        } catch {
            // Leave nothing behind. What made opening fail is the error to tell.
            _ = unlinkat(descriptor, name, AT_REMOVEDIR)
            throw error
        }
    }

    /// Opens a cgroup beneath this one, following no link.
    ///
    /// Throws `ENOENT` if there is none, and `EINVAL` for a name that is no single path component.
    public borrowing func openChild(_ name: String) throws(CgroupError) -> Cgroup {
        try check(name: name, for: "open")
        let child = Self.openDirectory(name, beneath: descriptor)
        guard child >= 0 else {
            let code = KernelFile.reason(-child, beneath: descriptor)
            throw CgroupError(operation: "open", path: "\(path)/\(name)", errno: code)
        }
        return Cgroup(path: "\(path)/\(name)", owning: child)
    }

    /// The names of the cgroups beneath this one, in no order.
    public borrowing func children() throws(CgroupError) -> [String] {
        var names: [String] = []
        do throws(KernelFile.Failure) {
            try Self.forEachChild(of: descriptor) { name in
                names.append(name)
                return true
            }
        } catch {
            throw CgroupError(operation: "list", path: path, errno: error.errno)
        }
        return names
    }

    /// Removes a cgroup beneath this one, and first all that its user made beneath it.
    ///
    /// Throws `EBUSY` if a process is still in it (see `waitUntilEmpty(timeoutMicroseconds:)`), `ENOENT` if there is
    /// no such cgroup. A cgroup that is not empty may have lost those beneath it.
    public borrowing func removeChild(_ name: String) throws(CgroupError) {
        try check(name: name, for: "remove")
        if unlinkat(descriptor, name, AT_REMOVEDIR) == 0 { return }
        guard errno == EBUSY || errno == ENOTEMPTY else {
            let code = KernelFile.reason(errno, beneath: descriptor)
            throw CgroupError(operation: "remove", path: "\(path)/\(name)", errno: code)
        }
        try removeDescendants(of: name)
        guard unlinkat(descriptor, name, AT_REMOVEDIR) == 0 else {
            throw CgroupError(operation: "remove", path: "\(path)/\(name)", errno: errno)
        }
    }

    // Depth first with one open directory at a time, however deep a delegatee has nested them.
    private borrowing func removeDescendants(of name: String) throws(CgroupError) {
        var below: [String] = []
        func failure(_ operation: String, _ code: Int32) -> CgroupError {
            CgroupError(
                operation: operation, path: ([path, name] + below).joined(separator: "/"), errno: code)
        }
        var current = Self.openDirectory(name, beneath: descriptor)
        guard current >= 0 else { throw failure("open", -current) }
        defer { close(current) }
        while true {
            var first: String?
            do throws(KernelFile.Failure) {
                try Self.forEachChild(of: current) { name in
                    first = name
                    return false
                }
            } catch {
                throw failure("list", error.errno)
            }
            if let first {
                below.append(first)
                let next = Self.openDirectory(first, beneath: current)
                guard next >= 0 else { throw failure("open", -next) }
                close(current)
                current = next
                continue
            }
            guard let last = below.last else { return }
            // A cgroup cannot be renamed, so its `..` is the directory we came from.
            let parent = openat(current, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard parent >= 0 else { throw failure("open the parent of", errno) }
            close(current)
            current = parent
            guard unlinkat(current, last, AT_REMOVEDIR) == 0 || errno == ENOENT else {
                throw failure("remove", errno)
            }
            below.removeLast()
        }
    }

    /// Whether this is the real root of the hierarchy, the only cgroup without `cgroup.events`. A container's
    /// root is none.
    public var isHierarchyRoot: Bool {
        var status = Glibc.stat()
        return fstatat(descriptor, "cgroup.events", &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
    }

    // MARK: Files

    /// Writes `value` to one of this cgroup's files, in a single write.
    public borrowing func write(_ value: String, to file: String) throws(CgroupError) {
        try KernelFile.write(value, to: file, beneath: descriptor, at: path)
    }

    /// The text of one of this cgroup's files, without its last line end.
    public borrowing func read(_ file: String) throws(CgroupError) -> String {
        try KernelFile.readAll(file, beneath: descriptor, at: path) { bytes in
            KernelText.string(bytes, KernelText.trimmed(bytes, 0..<bytes.count))
        }
    }

    /// Reads a file and what `parse` makes of it. Throws `EBADMSG` if that is nothing.
    borrowing func read<Value>(
        _ file: StaticString, expecting size: Int = 1024, _ parse: (Span<UInt8>) -> Value?
    ) throws(CgroupError) -> Value {
        let value = try KernelFile.read(file, beneath: descriptor, at: path, expecting: size, parse)
        guard let value else {
            throw CgroupError(operation: "understand", path: "\(path)/\(file)", errno: EBADMSG)
        }
        return value
    }

    // MARK: Directories

    private borrowing func check(name: String, for operation: String) throws(CgroupError) {
        let isComponent =
            !name.isEmpty && name != "." && name != ".."
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 || $0 == UInt8(ascii: "\n") }
        guard isComponent else {
            throw CgroupError(operation: operation, path: "\(path)/\(name)", errno: EINVAL)
        }
    }

    /// Opens a directory beneath another, by a path of one component or more. No link is followed, nothing above is
    /// reached.
    ///
    /// - Returns: a descriptor, or -errno.
    package static func openDirectory(_ path: String, beneath directory: Int32) -> Int32 {
        let opened = linux_openat2(
            directory, path, UInt64(O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0,
            LINUX_RESOLVE_BENEATH | LINUX_RESOLVE_NO_SYMLINKS)
        // So answers a service's seccomp filter that cannot see the call's flags (RestrictSUIDSGID=, systemd.exec(5)).
        guard opened == -ENOSYS else { return opened }
        return openDirectoryByComponents(path, beneath: directory)
    }

    /// The same promise without openat2(2): a component at a time, each from the descriptor of the one before. `..`
    /// is refused anywhere; a link is `ENOTDIR`.
    private static func openDirectoryByComponents(_ path: String, beneath directory: Int32) -> Int32 {
        guard !PathText.isAbsolute(path) else { return -EXDEV }
        let components = PathText.components(of: path)
        guard let last = components.last else { return -ENOENT }
        guard !components.contains("..") else { return -EXDEV }
        var current = directory
        defer { if current != directory { close(current) } }
        for component in components.dropLast() {
            let next = openat(
                current, component, LINUX_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { return -errno }
            if current != directory { close(current) }
            current = next
        }
        let opened = openat(current, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return opened >= 0 ? opened : -errno
    }

    /// Calls `body` with the name of each directory in `directory` until it returns false.
    static func forEachChild(
        of directory: Int32, _ body: (String) -> Bool
    ) throws(KernelFile.Failure) {
        // A description of its own, so that no other reader moves its position.
        let list = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard list >= 0 else { throw KernelFile.Failure(errno: errno) }
        defer { close(list) }
        try withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 8) {
            (buffer) throws(KernelFile.Failure) in
            guard let base = buffer.baseAddress else { return }
            while true {
                let count = linux_getdents64(list, base, buffer.count)
                guard count >= 0 else { throw KernelFile.Failure(errno: Int32(-count)) }
                if count == 0 { return }
                // struct dirent64: inode 8, offset 8, length 2, type 1, name.
                var record = 0
                while record < count {
                    let length = Int(buffer.loadUnaligned(fromByteOffset: record + 16, as: UInt16.self))
                    let type = buffer[record + 18]
                    let name = String(cString: (base + record + 19).assumingMemoryBound(to: CChar.self))
                    if type == UInt8(DT_DIR), name != ".", name != ".." {
                        if !body(name) { return }
                    }
                    record += length
                }
            }
        }
    }
}
