internal import CgroupKit
internal import CLinux
internal import Glibc

/// Finds a program as a shell does, once, before the first worker.
package enum ProgramSearch {
    package enum Outcome: Hashable {
        case found(String)
        case failed(String)
    }

    /// - Parameter directory: where the program is to start, and so where a relative path begins; nil is where we are.
    package static func find(_ name: String, path: String?, from directory: String? = nil) -> Outcome {
        if let directory {
            var status = stat()
            guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                let reason = status.st_mode == 0 ? String(cString: strerror(errno)) : "it is not a directory"
                return .failed("cannot work in the directory '\(directory)': \(reason)")
            }
            if name.utf8.contains(UInt8(ascii: "/")), !PathText.isAbsolute(name) {
                return find("\(directory)/\(name)", path: path)
            }
        }
        guard !name.utf8.contains(UInt8(ascii: "/")) else {
            return judge(name) ?? .found(absolute(name))
        }
        var refusal: Outcome?
        for directory in (path ?? "/usr/local/bin:/usr/bin:/bin").split(
            separator: ":", omittingEmptySubsequences: false)
        {
            let candidate = directory.isEmpty ? "./\(name)" : "\(directory)/\(name)"
            guard access(candidate, F_OK) == 0, !isDirectory(candidate) else { continue }
            guard let fault = judge(candidate) else { return .found(absolute(candidate)) }
            refusal = refusal ?? fault
        }
        return refusal ?? .failed(absence(of: name))
    }

    /// A shell finds nothing in the directory it is in, unless that is on the `PATH`.
    private static func absence(of name: String) -> String {
        if isDirectory(name) { return "cannot execute '\(name)': it is a directory" }
        let sentence = "there is no program '\(name)' on the PATH"
        return access(name, F_OK) == 0
            ? "\(sentence): write ./\(name) for the one in this directory" : sentence
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func judge(_ path: String) -> Outcome? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return .failed("cannot execute '\(path)': \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let what = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a file"
            return .failed("cannot execute '\(path)': it is \(what)")
        }
        guard access(path, X_OK) == 0 else {
            return .failed("cannot execute '\(path)': \(String(cString: strerror(errno))) (chmod +x it?)")
        }
        return nil
    }

    private static func absolute(_ path: String) -> String {
        guard !PathText.isAbsolute(path), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        let directory = String(cString: current)
        let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return directory == "/" ? "/\(rest)" : "\(directory)/\(rest)"
    }
}
