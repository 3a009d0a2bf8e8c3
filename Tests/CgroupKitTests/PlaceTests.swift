import CgroupKit
import Testing

/// Finding the hierarchy and our place in it, from the text of /proc.
@Suite struct PlaceTests {
    private static let hybrid = """
        22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
        30 22 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
        31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        32 30 0:28 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:9 master:3 - cgroup2 cgroup2 rw,nsdelegate

        """

    @Test func aHybridHostHasItElsewhere() {
        #expect(
            Mount.parse(mountinfo: Array(Self.hybrid.utf8))
                == [Mount(mountPoint: "/sys/fs/cgroup/unified", root: "/", isReadOnly: false)])
    }

    @Test(arguments: [
        ("5 4 0:1 / /cg ro,relatime - cgroup2 cgroup2 rw", true),
        ("5 4 0:1 / /cg rw,relatime - cgroup2 cgroup2 ro", true),
        ("5 4 0:1 / /cg rw,relatime - cgroup2 cgroup2 rw,memory_recursiveprot", false),
        ("5 4 0:1 / /cg rw,errors=ro,zero - cgroup2 cgroup2 rw", false),
        ("5 4 0:1 / /cg rw - cgroup2 cgroup2 rw,ro", true),
    ])
    func readOnlyIsTold(line: String, isReadOnly: Bool) {
        #expect(
            Mount.parse(mountinfo: Array(line.utf8))
                == [Mount(mountPoint: "/cg", root: "/", isReadOnly: isReadOnly)])
    }

    @Test func escapesAreRead() {
        let line = #"5 4 0:1 /a\134b /mnt/a\040b\011c\012d\134e rw - cgroup2 none rw"#
        #expect(
            Mount.parse(mountinfo: Array(line.utf8))
                == [Mount(mountPoint: "/mnt/a b\tc\nd\\e", root: #"/a\b"#, isReadOnly: false)])
        // No escape of three octal digits: as it is.
        let odd = #"5 4 0:1 / /mnt/\04\999\777\0 rw - cgroup2 none rw"#
        #expect(Mount.parse(mountinfo: Array(odd.utf8)).map(\.mountPoint) == [#"/mnt/\04\999\777\0"#])
    }

    @Test(arguments: [
        "", "5", "5 4 0:1 / /cg", "5 4 0:1 / /cg rw", "5 4 0:1 / /cg rw -",
        "5 4 0:1 / /cg rw shared:1 cgroup2",
        "5 4 0:1 / /cg rw - cgroup cgroup rw", "5 4 0:1 / /cgroup2 rw - tmpfs cgroup2 rw",
    ])
    func otherLinesArePassedOver(line: String) {
        #expect(Mount.parse(mountinfo: Array(line.utf8)) == [])
        #expect(Mount.parse(mountinfo: Array("\(line)\n\(Self.hybrid)".utf8)).count == 1)
    }

    @Test func ourPlaceIsRead() {
        #expect(OwnPlace.parse(Array("0::/\n".utf8)) == "/")
        #expect(
            OwnPlace.parse(Array("9:name=systemd:/a\n4:memory:/b\n0::/user.slice/x y\n".utf8))
                == "/user.slice/x y")
        #expect(OwnPlace.parse(Array("0::/../sibling\n".utf8)) == "/../sibling")
        #expect(OwnPlace.parse(Array("0::/gone (deleted)\n".utf8)) == "/gone (deleted)")
        #expect(OwnPlace.parse(Array("4:memory:/b\n10::/c\n".utf8)) == nil)
        #expect(OwnPlace.parse(Array("0::\n".utf8)) == nil)
        #expect(OwnPlace.parse(Array("".utf8)) == nil)
    }

    /// The mount's root, our place, and where that is seen.
    @Test(
        arguments: [
            ("/", "/", "/cg"),
            ("/", "/a/b", "/cg/a/b"),
            ("/a", "/a/b", "/cg/b"),
            ("/a/b", "/a/b", "/cg"),
            ("/a", "/ab", nil),
            ("/a/b", "/a", nil),
            // Mounted outside our cgroup namespace: above its root.
            ("/..", "/", nil),
            ("/..", "/../sibling", "/cg/sibling"),
            ("/../..", "/..", nil),
            // We are outside our namespace's root, which is all that is mounted.
            ("/", "/../sibling", nil),
            ("/a", "/a/../b", nil),
        ] as [(String, String, String?)])
    func aPlaceIsFoundUnderItsMount(root: String, place: String, directory: String?) {
        #expect(Mount(mountPoint: "/cg", root: root, isReadOnly: false).directory(of: place) == directory)
    }

    @Test func aMountAtTheRootIsNoDoubleSlash() {
        #expect(Mount(mountPoint: "/", root: "/", isReadOnly: false).directory(of: "/a") == "/a")
        #expect(Mount(mountPoint: "/", root: "/", isReadOnly: false).directory(of: "/") == "/")
    }

    @Test func theHolderOfALockIsFound() {
        let locks = """
            1: POSIX  ADVISORY  WRITE 11 00:1b:42 0 EOF
            2: FLOCK  ADVISORY  WRITE 12 00:1b:43 0 EOF
            3: FLOCK  ADVISORY  WRITE 13 00:1c:42 0 EOF
            4: FLOCK  ADVISORY  WRITE 14 00:1b:42 0 EOF
            4: -> FLOCK  ADVISORY  WRITE 15 00:1b:42 0 EOF
            5: FLOCK  ADVISORY  READ -1 fe:00:7 0 EOF

            """
        let bytes = Array(locks.utf8)
        #expect(Cgroup.holder(inLocks: bytes.span, device: 0x1b, inode: 42) == 14)
        #expect(Cgroup.holder(inLocks: bytes.span, device: 0x1b, inode: 44) == nil)
        #expect(Cgroup.holder(inLocks: bytes.span, device: 0xfe00, inode: 7) == nil)
        // Minor numbers past 8 bits lie higher up in dev_t.
        let far = Array("1: FLOCK  ADVISORY  WRITE 16 103:12345:9 0 EOF\n".utf8)
        #expect(Cgroup.holder(inLocks: far.span, device: 0x12310345, inode: 9) == 16)
    }
}
