import CgroupKit
import SergeantCG
import Testing

/// CPU and I/O limits as people write them, and as the kernel is told.
@Suite struct ResourceLimits {
    @Test(arguments: [("1.5", 150_000), ("1", 100_000), ("0.01", 1000), ("64", 6_400_000), ("0.000001", 1)])
    func cpus(text: String, microseconds: UInt64) throws {
        #expect(try CPUs.parse(text) == microseconds)
    }

    @Test func noCPUsAreNoLimit() throws {
        for text in ["0", "0.0"] { #expect(try CPUs.parse(text) == nil) }
    }

    @Test(arguments: [
        ("150%", "150% of one is 1.5"), ("500m", "500m of one is 0.5"), ("", "as in 1.5"),
        ("-1", "as in 1.5"),
        ("1,5", "as in 1.5"), ("all", "as in 1.5"), ("nan", "as in 1.5"), ("100001", "as in 1.5"),
        ("1.5.1", "as in 1.5"), ("%", "as in 1.5"),
    ])
    func noCPUs(text: String, words: String) {
        let fault = #expect(throws: ValueFault.self) { try CPUs.parse(text) }
        #expect(fault?.description.hasSuffix(words) == true, "\(fault?.description ?? "")")
    }

    @Test func weights() throws {
        #expect(try Weight.parse("1") == 1)
        #expect(try Weight.parse("10_000") == 10000)
        for text in ["0", "10001", "", "-1", "50%", "idle"] {
            #expect(throws: ValueFault.self, "\(text)") { try Weight.parse(text) }
        }
    }

    // MARK: io.max

    private static let disks = ["/dev/vda": (254, 0), "8:16": (8, 16)] as [String: (UInt32, UInt32)]

    private func read(_ text: String) throws -> IOLimit {
        try IOLimit(parsing: text) { (device) throws(ValueFault) in
            guard let found = Self.disks[device] else { throw ValueFault(description: "no such device") }
            return found
        }
    }

    @Test(arguments: [
        ("/dev/vda,rbps=10M", "254:0 rbps=10485760 wbps=max riops=max wiops=max"),
        ("8:16 rbps=2M wiops=120", "8:16 rbps=2097152 wbps=max riops=max wiops=120"),
        ("8:16,rbps=1K,wbps=2G,riops=3,wiops=4", "8:16 rbps=1024 wbps=2147483648 riops=3 wiops=4"),
        ("8:16,rbps=max,wbps=0", "8:16 rbps=max wbps=max riops=max wiops=max"),
    ])
    func aDevicesLimits(text: String, line: String) throws {
        #expect(try read(text).line == line)
    }

    @Test(arguments: [
        ("", "it takes DEVICE,"), ("8:16", "it takes DEVICE,"), (",rbps=1M", "it takes DEVICE,"),
        ("8:16,", "'' is none of"), ("8:16,rbps", "'rbps' is none of rbps="),
        ("8:16,,rbps=1", "'' is none of"),
        ("8:17,rbps=1M", "no such device"), ("8:16,rbsp=1M", "Did you mean 'rbps'?"),
        ("8:16,latency=1", "is none of rbps, wbps, riops, wiops"),
        ("8:16,rbps=x", "rbps takes a number of bytes"),
        ("8:16,rbps=10%", "rbps takes a number of bytes"), ("8:16,rbps=", "rbps takes a number of bytes"),
        ("8:16,riops=1K", "riops takes a whole number"),
        ("8:16,wiops=4294967296", "wiops takes a whole number"),
        ("8:16,rbps=1,rbps=2", "rbps stands twice for 8:16"),
    ])
    func noDevicesLimits(text: String, words: String) {
        let fault = #expect(throws: ValueFault.self) { try read(text) }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }

    @Test func thoseOfOneDeviceAreOne() throws {
        let merged = try IOLimit.merge([read("8:16,rbps=1"), read("/dev/vda,wbps=5"), read("8:16,wbps=2")])
        #expect(
            merged == [
                IOLimit(major: 8, minor: 16, readBytes: 1, writeBytes: 2),
                IOLimit(major: 254, minor: 0, writeBytes: 5),
            ])
        #expect(throws: ValueFault.self) { try IOLimit.merge([read("8:16,rbps=1"), read("8:16,rbps=2")]) }
    }

    @Test(arguments: [
        "/dev/null", "/dev/no-such-disk", "/etc/passwd", "vda", "8", "8:", ":", "8:x", "4096:0", "-8:0",
        "8:0:0", "/\u{0}",
    ])
    func whatIsNoDisk(text: String) {
        #expect(throws: ValueFault.self) { try BlockDevice.find(text) }
    }

    /// No text makes a reader trap.
    @Test func anyText() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "8:16", ",", " ", "rbps", "=", "wiops", "1M", "max", "%", "0", "9999999999999999999999", "é",
            "\u{0}", ":",
        ]
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            _ = try? read(text)
            _ = try? CPUs.parse(text)
            _ = try? Weight.parse(text)
        }
    }

    @Test func theControllersThatAreNeeded() {
        #expect(Limits().controllers.description == "")
        #expect(Limits(cpuMax: 1000).controllers.description == "cpu")
        #expect(Limits(pidsMax: 1, cpuWeight: 1).controllers.description == "cpu pids")
        #expect(Limits(memoryMax: 1 << 20, ioWeight: 1).controllers.description == "io memory")
        #expect(Limits(ioMax: [IOLimit(major: 8, minor: 0)]).controllers.description == "io")
    }
}
