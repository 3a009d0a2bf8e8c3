internal import Glibc

/// The program `TestWorker` beside the test bundle: a worker in plain C whose first argument says what it does.
package enum TestWorker {
    /// Its absolute path.
    package static func path() throws -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { throw HarnessFailure("/proc/self/exe cannot be read: errno \(errno)") }
        let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/TestWorker"
        guard access(path, X_OK) == 0 else {
            throw HarnessFailure("\(path) is missing: build it with swift build --build-tests")
        }
        return path
    }

    /// The words that run it.
    package static func command(_ arguments: String...) throws -> [String] {
        try [path()] + arguments
    }
}
