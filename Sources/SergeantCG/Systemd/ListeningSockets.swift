internal import CLinux
internal import Glibc

/// The sockets that workers find from descriptor 3 on (sd_listen_fds(3)): those that systemd passed to us, and
/// those made for `--listen`.
///
/// We hold them and never accept, so between two incarnations of a worker a connection waits in the backlog and
/// none is refused. They are blocking, as systemd's are. `O_NONBLOCK` belongs to the open socket: a worker that sets
/// it sets it for all, which is what an event loop wants, and all workers of a pool are the same program.
final class ListeningSockets {
    /// One of them.
    struct Socket: Hashable, Codable {
        var descriptor: Int32
        /// Its name in `LISTEN_FDNAMES`.
        var name: String
        /// Where we made it listen; nil for one that was passed.
        var address: ListenAddress?
        /// The file that was made for it, as device and inode, so that no other is removed for it.
        var file: FileIdentity?
        /// systemd keeps it for the next start, so its file stays.
        var isStored = false
    }

    /// The number at which a worker finds the first (SD_LISTEN_FDS_START).
    static let firstTarget: Int32 = 3

    /// Those that systemd passed, in its order, then those that were made.
    private(set) var all: [Socket] = []

    init() {}

    /// Those that another image of this program held (live upgrade).
    init(_ sockets: [Socket]) {
        all = sockets
    }

    deinit {
        for socket in all { Glibc.close(socket.descriptor) }
    }

    /// What a worker of this group is handed, in this order.
    func handed(to group: GroupConfiguration) -> [Socket] {
        all.filter { $0.address == nil }
            + group.listen.compactMap { address in
                all.first { $0.address?.endpoint == address.endpoint }.map { socket in
                    var socket = socket
                    socket.name = address.name
                    return socket
                }
            }
    }

    // MARK: Passed by systemd

    /// Takes what systemd passed. What an earlier start made for one of these groups, and systemd kept, is taken up
    /// again.
    func take(_ passed: consuming PassedDescriptors, for groups: [GroupConfiguration]) {
        for item in passed.take(named: DescriptorStore.prefix) {
            takeStored(item.descriptor, name: item.name, for: groups)
        }
        all = passed.items.map { Socket(descriptor: $0.descriptor, name: $0.name) } + all
    }

    // MARK: Kept by systemd

    /// Gives what was made to systemd, so that the next start refuses no connection in between.
    func store(in store: DescriptorStore = DescriptorStore()) {
        for index in all.indices {
            guard let endpoint = all[index].address?.endpoint else { continue }
            all[index].isStored = store.put(all[index].descriptor, named: endpoint.name)
        }
    }

    private func takeStored(_ descriptor: Int32, name: String, for groups: [GroupConfiguration]) {
        let address = groups.flatMap(\.listen).first { $0.endpoint.name == name }
        guard let address, Self.listens(descriptor, at: address.endpoint),
            !all.contains(where: { $0.address?.endpoint == address.endpoint })
        else {
            // The configuration does not ask for it any more, or its file is gone.
            Glibc.close(descriptor)
            return DescriptorStore().remove(named: name)
        }
        var socket = Socket(descriptor: descriptor, name: address.name, address: address, isStored: true)
        if case .unix(let path, let mode) = address.endpoint {
            // EPERM: it is another user's, who could be asked to change it.
            _ = chmod(path, mode)
            socket.file = FileIdentity(of: path)
        }
        all.append(socket)
    }

    private static func listens(_ socket: Int32, at endpoint: ListenAddress.Endpoint) -> Bool {
        var listens: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens != 0,
            let place = SocketAddress.endpoint(of: socket), place.isSamePlace(as: endpoint)
        else { return false }
        guard case .unix(let path, _) = endpoint else { return true }
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    // MARK: Made

    /// Makes what the groups listen at and is not there yet. An address that two groups name is one socket.
    func open(for groups: [GroupConfiguration]) throws(SupervisorError) {
        for address in groups.flatMap(\.listen)
        where !all.contains(where: { $0.address?.endpoint == address.endpoint }) {
            all.append(try Self.make(address))
        }
    }

    /// Removes the files of those that were made. They stay open until the last worker has gone.
    func removeFiles() {
        for socket in all where !socket.isStored {
            guard case .unix(let path, _) = socket.address?.endpoint, let file = socket.file,
                FileIdentity(of: path) == file
            else { continue }
            unlink(path)
        }
    }

    private static func make(_ address: ListenAddress) throws(SupervisorError) -> Socket {
        guard let place = SocketAddress(address.endpoint) else {
            throw SupervisorError(.configuration, "cannot listen at \(address): it is no address of a socket")
        }
        let descriptor = socket(place.family, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC, 0)
        guard descriptor >= 0 else { throw refusal("make a socket for", address, errno) }
        do throws(SupervisorError) {
            return try listen(descriptor, at: address, place)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    private static func listen(
        _ descriptor: Int32, at address: ListenAddress, _ place: SocketAddress
    ) throws(SupervisorError) -> Socket {
        var result = Socket(descriptor: descriptor, name: address.name, address: address)
        switch address.endpoint {
        case .tcp:
            // Else a port is taken for a minute after its last connection (TIME_WAIT, tcp(7)).
            var one: Int32 = 1
            guard
                setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
                    == 0
            else { throw refusal("listen at", address, errno) }
        case .unix(let path, let mode):
            try removeStale(path, address, place)
            // The file is never there with more than these permissions.
            guard fchmod(descriptor, mode) == 0 else { throw refusal("listen at", address, errno) }
        }
        guard place.withPointer({ bind(descriptor, $0, $1) }) == 0 else {
            throw refusal("listen at", address, errno)
        }
        if case .unix(let path, let mode) = address.endpoint {
            result.file = FileIdentity(of: path)
            // What the umask took away.
            guard chmod(path, mode) == 0 else {
                let error = errno
                unlink(path)
                throw refusal("set the permissions of", address, error)
            }
        }
        guard Glibc.listen(descriptor, SOMAXCONN) == 0 else { throw refusal("listen at", address, errno) }
        return result
    }

    /// A socket file outlives its socket. It is removed only where nobody listens any more; anything else of that
    /// name stays, and bind(2) refuses.
    private static func removeStale(
        _ path: String, _ address: ListenAddress, _ place: SocketAddress
    ) throws(SupervisorError) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let client = socket(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        guard client >= 0 else { throw refusal("make a socket for", address, errno) }
        defer { Glibc.close(client) }
        guard place.withPointer({ connect(client, $0, $1) }) != 0, errno == ECONNREFUSED else { return }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw refusal("remove the socket file that an earlier program left for", address, errno)
        }
    }

    private static func refusal(_ operation: String, _ address: ListenAddress, _ error: Int32)
        -> SupervisorError
    {
        var sentence = "cannot \(operation) \(address): \(String(cString: strerror(error)))"
        switch (error, address.endpoint) {
        case (EADDRINUSE, .tcp(_, let port)):
            sentence += "; another program listens there, and `ss -ltnp sport = :\(port)` names it"
        case (EADDRINUSE, .unix(let path, _)):
            sentence += "; another program listens there, or \(path) is no socket"
        case (EACCES, .tcp(_, let port)) where port < 1024:
            sentence += "; ports below 1024 are for root, CAP_NET_BIND_SERVICE, or a socket unit of systemd"
        case (EADDRNOTAVAIL, .tcp(let host, _)):
            sentence += "; no interface of this machine has the address \(host)"
        case (ENOENT, .unix(let path, _)):
            sentence += "; the directory of \(path) is missing (RuntimeDirectory= of a unit makes one)"
        default: break
        }
        return SupervisorError(.system, sentence)
    }
}
