import CgroupKit

extension FuzzedParser {
    /// What the kernel writes.
    static let kernel = [
        FuzzedParser("kernel-files") { bytes in
            _ = MemoryEvents.parse(bytes.span)
            _ = MemoryStat.parse(bytes.span)
            _ = CPUStat.parse(bytes.span)
            _ = IOStat.parse(bytes.span)
            _ = CgroupEvents.parse(bytes.span)
            _ = PidsEvents.parse(bytes.span)
            _ = CgroupStat.parse(bytes.span)
            _ = Pressure.parse(bytes.span)
            _ = Controllers.parse(bytes.span)
            _ = Limit.parse(bytes.span)
            _ = CountLimit.parse(bytes.span)
            _ = CPULimit.parse(bytes.span)
        },
        FuzzedParser("mountinfo") { bytes in
            for mount in Mount.parse(mountinfo: bytes) {
                for place in ["/", mount.root, mount.root + "/a", "/.."] {
                    guard let directory = mount.directory(of: place) else { continue }
                    must(
                        directory.utf8.starts(with: mount.mountPoint.utf8), "\(directory) is not in \(mount)")
                }
            }
        },
        FuzzedParser("own-place") { bytes in
            guard let place = OwnPlace.parse(bytes) else { return }
            must(place.utf8.first == UInt8(ascii: "/"), "\(place) is no path")
        },
    ]
}
