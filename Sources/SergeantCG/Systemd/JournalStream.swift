internal import CLinux
internal import Glibc

/// journald as a program's standard output or error, line by line (sd_journal_stream_fd(3)).
package enum JournalStream {
    /// Where journald takes such streams.
    package static let path = "/run/systemd/journal/stdout"

    // MARK: Ours

    /// Whether this descriptor is the stream that `JOURNAL_STREAM` names (systemd.exec(5)). The variable alone proves
    /// nothing: it is inherited, and the descriptor may have been redirected since.
    package static func isOurs(_ descriptor: Int32) -> Bool {
        guard let variable = getenv("JOURNAL_STREAM") else { return false }
        return isNamed(String(cString: variable), descriptor)
    }

    /// - Parameter variable: `DEVICE:INODE`, both decimal.
    package static func isNamed(_ variable: String, _ descriptor: Int32) -> Bool {
        name(of: descriptor) == variable
    }

    /// What `JOURNAL_STREAM` says of this descriptor.
    package static func name(of descriptor: Int32) -> String? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        return "\(status.st_dev):\(status.st_ino)"
    }

    // MARK: A worker's

    /// Opens a stream whose lines appear under this identifier, with the priority that a line's `<N>` says, else 6.
    ///
    /// libsystemd's sd_journal_stream_fd() would wait where journald stands still.
    ///
    /// - Returns: a blocking descriptor, as a program expects of its standard output.
    package static func open(
        identifier: String, path: String = JournalStream.path
    ) throws(SupervisorError) -> Descriptor {
        let made = socket(AF_UNIX, LINUX_SOCK_STREAM | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK, 0)
        let stream = try Descriptor(made, operation: "make a socket for the journal", errno: errno)
        var error = UnixSocket.connect(stream.number, to: path)
        guard error == 0 else {
            let reason =
                error == EAGAIN ? "journald does not take any more" : String(cString: strerror(error))
            throw SupervisorError(.system, "no stream to the journal: \(path): \(reason) (errno \(error))")
        }
        // Identifier, unit (journald finds it), priority, prefixes of levels are read, not forwarded anywhere.
        let line = identifier.prefix { $0 != "\n" }
        let header = Array("\(line)\n\n6\n1\n0\n0\n0\n".utf8)
        if send(stream.number, header, header.count, LINUX_MSG_NOSIGNAL) == header.count {
            error =
                fcntl(stream.number, F_SETFL, 0) == 0 && shutdown(stream.number, Int32(SHUT_RD)) == 0
                ? 0 : errno
        } else {
            error = EPIPE
        }
        guard error == 0 else {
            throw SupervisorError(
                .system, "no stream to the journal: \(String(cString: strerror(error))) (errno \(error))")
        }
        return stream
    }

    /// - Throws: ``SupervisorError`` where no journald could be asked for a stream.
    package static func check(path: String = JournalStream.path) throws(SupervisorError) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
            throw SupervisorError(
                .configuration,
                "the workers' output cannot go to the journal: there is no socket \(path), so no journald")
        }
    }
}
