internal import Glibc

/// journald as a program's standard output or error, which `JOURNAL_STREAM` tells of (systemd.exec(5)).
package enum JournalStream {
    /// Whether this descriptor is the stream that `JOURNAL_STREAM` names. The variable alone proves nothing: it is
    /// inherited, and the descriptor may have been redirected since.
    package static func isOurs(_ descriptor: Int32) -> Bool {
        guard let variable = getenv("JOURNAL_STREAM") else { return false }
        return isNamed(String(cString: variable), descriptor)
    }

    /// - Parameter variable: `DEVICE:INODE`, both decimal.
    package static func isNamed(_ variable: String, _ descriptor: Int32) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return variable == "\(status.st_dev):\(status.st_ino)"
    }
}
