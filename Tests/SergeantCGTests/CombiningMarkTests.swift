import CgroupKit
import SergeantCG
import Testing

/// To `Character` a combining mark is one letter with what stands before it; to the kernel a slash is a slash.
@Suite struct CombiningMarkTests {
    private static let mark = "\u{351}"

    @Test func aMountShowsACgroupWhoseNameBeginsWithOne() {
        let mount = Mount(mountPoint: "/m", root: "/a", isReadOnly: false)
        #expect(mount.directory(of: "/a/\(Self.mark)b") == "/m/\(Self.mark)b")
        #expect(mount.directory(of: "/a/../\(Self.mark)b") == nil)
    }

    /// Composed and decomposed are two names to the kernel, and one to `==`.
    @Test func twoWaysToWriteALetterAreTwoNames() {
        let mount = Mount(mountPoint: "/m", root: "/\u{E9}", isReadOnly: false)
        #expect(mount.directory(of: "/\u{E9}/b") == "/m/b")
        #expect(mount.directory(of: "/e\u{301}/b") == nil)
    }

    @Test func noWayUpHidesBeforeOne() {
        let configuration = Configuration(
            groups: [GroupConfiguration(program: .command(["a"]), workers: 1)],
            place: .path("a/../\(Self.mark)b"))
        #expect(configuration.fault?.contains("without '..'") == true)
    }

    @Test func aVariablesValueMayBeginWithOne() throws {
        let bytes = Array("A=\(Self.mark)b\n".utf8)
        #expect(try EnvironmentFile.variables(of: bytes, named: "f") == ["A": "\(Self.mark)b"])
        #expect(throws: Never.self) { try Setting.env.given(.words(["A=\(Self.mark)b"])) }
    }

    @Test func aSocketsPathMayBeginWithOne() throws {
        #expect(
            try ListenAddress(parsing: "unix:///\(Self.mark)b").endpoint
                == .unix(path: "/\(Self.mark)b", mode: 0o600))
    }
}
