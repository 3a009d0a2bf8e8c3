internal import CLinux
internal import CgroupKit
internal import Glibc

/// A file that a person wrote, read whole, never more of it than a person writes.
package enum BoundedFile {
    /// More is no configuration.
    package static let mostBytes = 1 << 20

    /// - Throws: why it cannot be read, in a sentence that names it.
    package static func read(_ path: String) throws(ConfigurationFault) -> [UInt8] {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw ConfigurationFault(file: "'\(path)'", "this cannot be the name of a file")
        }
        // A FIFO without a writer must not hold us up.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { throw unreadable(path, errno) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw unreadable(path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw unreadable(path, EISDIR)
        default: throw ConfigurationFault(file: path, "it cannot be read: it is not a regular file")
        }
        var bytes: [UInt8] = []
        while bytes.count <= mostBytes {
            var failure: Int32 = 0
            let more = [UInt8](unsafeUninitializedCapacity: 1 << 16) { space, used in
                let count = Glibc.read(file, space.baseAddress, space.count)
                if count < 0 { failure = errno }
                used = max(count, 0)
            }
            if failure == EINTR { continue }
            guard failure == 0 else { throw unreadable(path, failure) }
            if more.isEmpty { return bytes }
            bytes += more
        }
        throw ConfigurationFault(
            file: path, "it is larger than \(mostBytes >> 20) MiB, which no configuration is")
    }

    private static func unreadable(_ path: String, _ error: Int32) -> ConfigurationFault {
        ConfigurationFault(file: path, "it cannot be read: \(String(cString: strerror(error)))")
    }
}
