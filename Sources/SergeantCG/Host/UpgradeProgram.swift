internal import CLinux
internal import Glibc

/// The program that runs, so that it can be run again, in the same process or beside it.
public struct UpgradeProgram: Sendable {
    /// Where a new version is looked for.
    package let path: String
    /// As we were started, the program's name first.
    let arguments: [String]

    /// Finds out where this program was started from; for the beginning of `main`.
    ///
    /// A name with links in it stays as it is, so that a link that is pointed to a new version is followed.
    /// - Parameter arguments: `CommandLine.arguments`.
    /// - Returns: nil where /proc does not tell.
    public init?(arguments: [String]) {
        guard let own = Self.link("/proc/self/exe") else { return nil }
        self.arguments = arguments
        let name = arguments.first ?? ""
        if case .found(let found) = ProgramSearch.find(name, path: getenv("PATH").map { String(cString: $0) }),
            let running = Self.running, FileIdentity(of: found, followsLink: true) == running
        {
            path = found
        } else {
            // It was replaced since it was started.
            let suffix = " (deleted)"
            path = own.hasSuffix(suffix) ? String(own.dropLast(suffix.count)) : own
        }
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count > 0
            ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }

    private static var running: FileIdentity? { FileIdentity(of: "/proc/self/exe", followsLink: true) }

    /// Another file has taken the place of the one that runs. False where there is none.
    var isReplaced: Bool {
        guard let there = FileIdentity(of: path, followsLink: true) else { return false }
        return there != Self.running
    }

    // MARK: In this process

    /// Becomes the program on disk, which finds the state through ``UpgradeArrival``.
    ///
    /// - Parameter open: descriptors that stay open; all others of ours are close-on-exec.
    /// - Returns: only where that failed, and then with the errno and everything as it was.
    func replaceUs(state: borrowing Descriptor, open: [Int32]) -> Int32 {
        let kept = open + [state.number]
        for descriptor in kept { setCloseOnExec(descriptor, false) }
        setenv(UpgradeArrival.variable, "\(getpid()):\(state.number)", 1)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        execv(path, &words)
        let error = errno
        for word in words { free(word) }
        unsetenv(UpgradeArrival.variable)
        for descriptor in kept { setCloseOnExec(descriptor, true) }
        return error
    }
}

/// F_SETFD of fcntl(2), which cannot fail for a descriptor that is open.
func setCloseOnExec(_ descriptor: Int32, _ closes: Bool) {
    _ = fcntl(descriptor, F_SETFD, closes ? FD_CLOEXEC : 0)
}
