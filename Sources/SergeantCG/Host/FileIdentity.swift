internal import CLinux
internal import Glibc

/// Which file it is, whatever its name: device and inode (inode(7)).
struct FileIdentity: Hashable, Codable {
    var device: UInt64
    var inode: UInt64

    /// Nil where there is none.
    ///
    /// - Parameter followsLink: of a link at the end of the path the target, else the link itself.
    init?(of path: String, followsLink: Bool = false) {
        var status = stat()
        guard (followsLink ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
