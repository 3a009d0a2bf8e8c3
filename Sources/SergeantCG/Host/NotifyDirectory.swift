internal import CLinux
internal import Glibc

/// The directory of the workers' notify sockets, which nobody but this supervisor's user may enter; where workers are
/// other users, everyone may search it, and nobody list it: each socket is its worker's user's alone.
///
/// It is named for the cgroup that the supervisor holds, which no other can hold at the same time, so what is in it was
/// left by one that is gone.
struct NotifyDirectory {
    let path: String

    /// Makes it, or takes over what an earlier supervisor in the same cgroup left.
    ///
    /// - Parameter number: the inode of the supervisor's cgroup.
    init(number: UInt64) throws(SupervisorError) {
        path = "\(Self.parent)/sergeantcg-notify.\(number)"
        guard mkdir(path, 0o700) != 0 else { return }
        let error = errno
        var status = stat()
        // In /tmp somebody else may have been there first.
        guard error == EEXIST, lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
            status.st_uid == geteuid(), status.st_mode & 0o066 == 0
        else {
            throw SupervisorError(
                .system,
                "cannot make \(path) for the workers' notify sockets: "
                    + "\(String(cString: strerror(error))) (errno \(error))", errno: error)
        }
    }

    /// Lets other users search it.
    func admitOthers() throws(SupervisorError) {
        guard chmod(path, 0o711) == 0 else {
            let error = errno
            throw SupervisorError(
                .system,
                "cannot let the workers' users search \(path): \(String(cString: strerror(error))) (errno \(error))",
                errno: error)
        }
    }

    /// Removes it with the sockets that are in it.
    func remove() {
        guard let stream = opendir(path) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { unlink("\(path)/\(name)") }
        }
        closedir(stream)
        // What is not empty then is not ours to remove.
        rmdir(path)
    }

    /// systemd.exec(5), RuntimeDirectory=; hier(7); and XDG_RUNTIME_DIR, pam_systemd(8).
    static var parent: String {
        if let given = getenv("RUNTIME_DIRECTORY") {
            // The first, where the unit has several.
            if let first = String(cString: given).split(separator: ":").first { return String(first) }
        }
        if geteuid() == 0 { return "/run" }
        if let given = getenv("XDG_RUNTIME_DIR") { return String(cString: given) }
        return "/tmp"
    }
}
