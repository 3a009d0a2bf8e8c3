internal import CLinux
internal import Glibc

/// The socket that listens, and its file: for its user alone, and gone with the supervisor.
final class ControlSocket {
    /// Why there is none.
    enum Fault: Error {
        /// Another supervisor listens there.
        case living(pid: Int32?)
        case failed(String)
    }

    private static let backlog: Int32 = 128

    let listener: Descriptor
    let path: String
    private let made: [String]
    private let file: FileIdentity

    init(_ place: ControlPath) throws(Fault) {
        path = place.path
        made = place.made
        for directory in place.made { try Self.make(directory, isLast: directory == place.made.last) }
        let (parent, name) = UnixSocket.split(place.path)
        guard !name.isEmpty else { throw .failed("\(place.path) names no file") }
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Self.failure("open the directory \(parent)", errno) }
        defer { close(directory) }
        // Of two that start at once, one finds the other's socket. Whoever else holds the lock does not stop us.
        for _ in 0..<50 where flock(directory, LOCK_EX | LOCK_NB) != 0 { usleep(10_000) }

        let bound = try Self.bind(place.path)
        var status = stat()
        guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw Self.failure("find the socket \(place.path)", errno)
        }
        guard listen(bound.number, Self.backlog) == 0 else {
            let error = errno
            // Nobody can have come to use it.
            _ = unlink(place.path)
            throw Self.failure("listen on \(place.path)", error)
        }
        listener = bound
        file = FileIdentity(status)
    }

    // MARK: Across an upgrade

    /// The socket as one image of the program hands it to the next, which goes on listening.
    struct Memory: Codable {
        var listener: Int32
        var path: String
        var made: [String]
        var file: FileIdentity
    }

    var memory: Memory {
        Memory(listener: listener.number, path: path, made: made, file: file)
    }

    init(adopting memory: Memory) {
        listener = Descriptor(owning: memory.listener)
        path = memory.path
        made = memory.made
        file = memory.file
    }

    // MARK: Made

    private static func bind(_ path: String) throws(Fault) -> Descriptor {
        let result = UnixSocket.make(blocking: false)
        guard result >= 0 else { throw failure("make a socket", errno) }
        let socket = Descriptor(owning: result)
        // The file gets the socket's own mode, less the umask: so there is no moment with more than this, and no
        // change of the umask, which belongs to all threads of the process.
        guard fchmod(socket.number, 0o600) == 0 else { throw failure("set the mode of the socket", errno) }
        var error = UnixSocket.bind(socket.number, to: path)
        if error == EADDRINUSE {
            try clear(path)
            error = UnixSocket.bind(socket.number, to: path)
        }
        guard error == 0 else { throw failure("bind the socket \(path)", error) }
        return socket
    }

    /// Removes the file, if it is still ours, and the directories that were made for it, if nobody else uses them.
    func remove() {
        if FileIdentity(of: path) == file {
            // It was there a moment ago; if it is not any more, all the better.
            _ = unlink(path)
        }
        // ENOTEMPTY: another supervisor's are in it.
        for directory in made.reversed() where rmdir(directory) != 0 { return }
    }

    /// A socket that nobody listens on was left by a supervisor that was killed.
    private static func clear(_ path: String) throws(Fault) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .failed("\(path) is there already, and is no socket")
        }
        let result = UnixSocket.make(blocking: false)
        guard result >= 0 else { throw failure("make a socket", errno) }
        let attempt = Descriptor(owning: result)
        let error = UnixSocket.connect(attempt.number, to: path)
        switch error {
        case ECONNREFUSED: break
        case ENOENT: return
        case 0, EAGAIN: throw .living(pid: UnixSocket.peer(of: attempt.number)?.pid)
        default: throw failure("see who listens on \(path)", error)
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw failure("remove \(path), which a supervisor that was killed left behind", errno)
        }
    }

    private static func make(_ directory: String, isLast: Bool) throws(Fault) {
        if mkdir(directory, isLast ? 0o700 : 0o755) != 0 {
            guard errno == EEXIST else { throw failure("make the directory \(directory)", errno) }
        }
        guard isLast else { return }
        var status = stat()
        guard lstat(directory, &status) == 0 else { throw failure("look at \(directory)", errno) }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
            throw .failed("\(directory) is not a directory of this user")
        }
        guard status.st_mode & 0o777 == 0o700 || chmod(directory, 0o700) == 0 else {
            throw failure("close \(directory) to others", errno)
        }
    }

    private static func failure(_ operation: String, _ error: Int32) -> Fault {
        let name = linux_errno_name(error).map { String(cString: $0) } ?? "errno \(error)"
        return .failed("cannot \(operation): \(String(cString: strerror(error))) (\(name))")
    }
}
