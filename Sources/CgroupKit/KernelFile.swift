import CLinux
import Glibc

/// Whole small files of a kernel file system, read and written with as few system calls as there can be.
enum KernelFile {
    /// Enough for every file but `memory.stat` and lists; on the stack.
    private static let smallSize = 1024

    /// Reads the file `name` beneath `directory` and hands its bytes to `body`.
    ///
    /// For files that the kernel makes in one piece (all of a cgroup's but `cgroup.procs` and
    /// `cgroup.threads`): a read that does not fill its buffer has got all (fs/seq_file.c), so this is openat,
    /// read, close. `expected` is the size the buffer begins with, in bytes.
    static func read<Value: ~Copyable>(
        _ name: StaticString, beneath directory: Int32, at path: @autoclosure () -> String,
        expecting expected: Int = smallSize, _ body: (Span<UInt8>) -> Value
    ) throws(CgroupError) -> Value {
        let file = SpareDescriptor.open { openat(directory, name.cString, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        defer { file.close() }
        guard file.descriptor >= 0 else {
            throw CgroupError(
                operation: "read", path: "\(path())/\(name)",
                errno: reason(-file.descriptor, beneath: directory))
        }
        do throws(Failure) {
            return try contents(of: file.descriptor, isOnePiece: true, expecting: expected, body)
        } catch {
            throw CgroupError(operation: "read", path: "\(path())/\(name)", errno: error.errno)
        }
    }

    /// Reads the file `name` beneath `directory` to its end.
    static func readAll<Value: ~Copyable>(
        _ name: String, beneath directory: Int32, at path: @autoclosure () -> String,
        _ body: (Span<UInt8>) -> Value
    ) throws(CgroupError) -> Value {
        let file = SpareDescriptor.open { openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        defer { file.close() }
        guard file.descriptor >= 0 else {
            throw CgroupError(
                operation: "read", path: "\(path())/\(name)",
                errno: reason(-file.descriptor, beneath: directory))
        }
        do throws(Failure) {
            return try contents(of: file.descriptor, isOnePiece: false, expecting: smallSize, body)
        } catch {
            throw CgroupError(operation: "read", path: "\(path())/\(name)", errno: error.errno)
        }
    }

    /// Reads the file at the absolute `path` to its end.
    static func readAll<Value: ~Copyable>(
        _ path: String, _ body: (Span<UInt8>) -> Value
    ) throws(CgroupError) -> Value {
        let file = SpareDescriptor.open { Glibc.open(path, O_RDONLY | O_CLOEXEC) }
        defer { file.close() }
        guard file.descriptor >= 0 else {
            throw CgroupError(operation: "read", path: path, errno: -file.descriptor)
        }
        do throws(Failure) {
            return try contents(of: file.descriptor, isOnePiece: false, expecting: smallSize, body)
        } catch {
            throw CgroupError(operation: "read", path: path, errno: error.errno)
        }
    }

    /// Writes `value` to the file `name` beneath `directory`, in one piece: openat, write, close.
    static func write(
        _ value: String, to name: String, beneath directory: Int32, at path: @autoclosure () -> String
    ) throws(CgroupError) {
        var value = value
        let failure = value.withUTF8 { bytes -> Int32 in
            write(UnsafeRawBufferPointer(bytes), to: name, beneath: directory)
        }
        guard failure == 0 else {
            throw CgroupError(operation: "write", path: "\(path())/\(name)", value: value, errno: failure)
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to name: String, beneath directory: Int32)
        -> Int32
    {
        let file = SpareDescriptor.open { openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) }
        defer { file.close() }
        guard file.descriptor >= 0 else { return reason(-file.descriptor, beneath: directory) }
        while true {
            let written = Glibc.write(file.descriptor, bytes.baseAddress, bytes.count)
            if written == bytes.count { return 0 }
            if written >= 0 { return EIO }
            if errno != EINTR { return errno }
        }
    }

    /// Why a file of a cgroup could not be opened: `ENODEV` instead of `ENOENT` if the whole cgroup is gone, as
    /// the kernel says itself where the file was open before.
    static func reason(_ code: Int32, beneath directory: Int32) -> Int32 {
        guard code == ENOENT else { return code }
        // Every cgroup has it.
        return faccessat(directory, "cgroup.procs", F_OK, 0) != 0 && errno == ENOENT ? ENODEV : code
    }

    struct Failure: Error { var errno: Int32 }

    /// The bytes of an open file from its position on.
    static func contents<Value: ~Copyable>(
        of file: Int32, isOnePiece: Bool, expecting expected: Int, _ body: (Span<UInt8>) -> Value
    ) throws(Failure) -> Value {
        try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: expected) {
            (buffer) throws(Failure) -> Value in
            var count = 0
            while count < buffer.count {
                let got = try read(file, into: UnsafeMutableBufferPointer(rebasing: buffer[count...]))
                count += got
                if got == 0 || (isOnePiece && count < buffer.count) {
                    return body(Span(_unsafeElements: UnsafeBufferPointer(rebasing: buffer[..<count])))
                }
            }
            // It filled the buffer: there may be more.
            var bytes = Array(buffer)
            while true {
                let capacity = bytes.count * 4
                var ended = false
                let more = try [UInt8](unsafeUninitializedCapacity: capacity) {
                    (space, used) throws(Failure) in
                    used = try read(file, into: space)
                    ended = used == 0
                }
                if ended { return body(bytes.span) }
                bytes += more
            }
        }
    }

    private static func read(_ file: Int32, into buffer: UnsafeMutableBufferPointer<UInt8>) throws(Failure)
        -> Int
    {
        while true {
            let got = Glibc.read(file, buffer.baseAddress, buffer.count)
            if got >= 0 { return got }
            if errno != EINTR { throw Failure(errno: errno) }
        }
    }
}

extension StaticString {
    /// Null-terminated, as every static string of several bytes is.
    var cString: UnsafePointer<CChar> {
        precondition(hasPointerRepresentation)
        return UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
