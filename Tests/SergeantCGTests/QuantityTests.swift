import SergeantCG
import Testing

@Suite struct Quantities {
    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("100_000_000", 100_000_000), ("512K", 512 << 10), ("512k", 512 << 10),
            ("64M", 64 << 20), ("2G", 2 << 30), ("1T", 1 << 40), ("1.5G", 3 << 29), ("0.5K", 512),
            ("1_024K", 1 << 20),
            ("16MiB", 16 << 20), ("18446744073709551615", .max),
        ] as [(String, UInt64)])
    func aSize(text: String, bytes: UInt64) {
        #expect(Quantity.size(text) == .bytes(bytes))
    }

    @Test(arguments: [("25%", 25.0), ("0%", 0), ("100%", 100), ("12.5%", 12.5)])
    func aShare(text: String, percent: Double) {
        #expect(Quantity.size(text) == .percent(percent))
    }

    @Test(arguments: [
        "", " ", "12Q", "K", "%", "-1", "+1", "1e3", "0x10", "1__0", "_1", "1_", "1 M", "M1", "1.2.3", ".5",
        "101%", "-5%",
        "nan", "inf", "infinity%", "18446744073709551616", "17179869184G", "99999999999999999999T", "١٢",
        "1M ", "1MM", "iB",
    ])
    func noSize(text: String) {
        #expect(Quantity.size(text) == nil)
    }

    @Test(
        arguments: [
            ("8", .seconds(8)), ("0", .zero), ("0.5", .milliseconds(500)), ("200ms", .milliseconds(200)),
            ("30s", .seconds(30)),
            ("10min", .seconds(600)), ("2m", .seconds(120)), ("1h", .seconds(3600)), ("1d", .seconds(86400)),
            ("250us", .microseconds(250)), ("1.5h", .seconds(5400)),
        ] as [(String, Duration)])
    func aDuration(text: String, duration: Duration) {
        #expect(Quantity.duration(text) == duration)
    }

    @Test(arguments: [
        "", "s", "-1", "1 s", "soon", "1e9", "nan", "inf", "1.2.3s", ".5s", "1sm", "4000d",
        "999999999999999999999",
    ])
    func noDuration(text: String) {
        #expect(Quantity.duration(text) == nil)
    }

    /// No text makes a reader trap, and what is read back as a count is what was written.
    @Test func anyText() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789_.%KMGTkmisuhdB -+eE٣\u{0}é")
        for _ in 0..<50_000 {
            let text = String(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                })
            _ = Quantity.size(text)
            _ = Quantity.duration(text)
            if let count = Quantity.count(text) {
                #expect(UInt64(text.filter { $0 != "_" }) == count, "\(text)")
            }
            let number =
                UInt64.random(in: 0 ... .max, using: &random) >> UInt64.random(in: 0..<64, using: &random)
            #expect(Quantity.count("\(number)") == number)
        }
    }
}
