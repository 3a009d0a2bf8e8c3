internal import CLinux
internal import Glibc

/// A state as a sealed memory file (memfd_create(2)): nobody can change it once it is written.
enum UpgradeFile {
    /// Far above the state of a thousand workers, far below what would harm us.
    static let largest = 256 << 20

    /// Close-on-exec.
    static func write(_ bytes: [UInt8]) throws(SupervisorError) -> Descriptor {
        let result = linux_memfd_create("sergeantcg-state")
        let file = try Descriptor(max(result, -1), operation: "make a memory file", errno: -result)
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file.number, $0.baseAddress?.advanced(by: start), bytes.count - start)
            }
            guard count > 0 || errno == EINTR else {
                throw SupervisorError(.system, "cannot fill the memory file of the state: errno \(errno)")
            }
            start += max(count, 0)
        }
        let sealed = linux_seal(file.number)
        guard sealed == 0 else {
            throw SupervisorError(.system, "cannot seal the memory file of the state: errno \(-sealed)")
        }
        return file
    }

    /// From the beginning, wherever its position is.
    static func read(_ descriptor: Int32) throws(SupervisorError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= largest
        else {
            throw SupervisorError(.system, "descriptor \(descriptor) is no memory file of a state")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: start), $0.count - start, start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw SupervisorError(.system, "cannot read the memory file of the state: errno \(errno)")
            }
            start += count
        }
        return bytes
    }
}
