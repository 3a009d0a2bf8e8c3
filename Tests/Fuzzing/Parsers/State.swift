import SergeantCG

extension FuzzedParser {
    /// What an earlier image of the program hands over, and what it left in files.
    static let state = [
        FuzzedParser("upgrade-state", longest: 16_384) { bytes in
            if let sentence = UpgradeArrival.fault(inState: bytes) {
                must(!sentence.isEmpty, "no sentence")
            }
        },
        FuzzedParser("account") { bytes in
            let lines = bytes.split(separator: UInt8(ascii: "\n"))
            var report = AccountReport()
            for line in lines { report.take(Array(line)) }
            report.finish()
            let read = report.groups.reduce(0) { $0 + $1.count }
            must(read + report.unreadable == lines.count, "\(read) of \(lines.count) lines")
            for group in report.groups {
                must(group.ends.values.reduce(0, +) == group.count, "another number of ends")
                must(group.peak(0.5) ?? 0 <= group.peak(0.95) ?? 0, "half go further than most")
                must(group.peak(1) == group.peaks.last, "some go further than all")
            }
            let picture = PeakHistogram(report).svg
            must(picture.utf8.count < 100 * bytes.count + 5000 * (Int(read) + 1), "a picture of any size")
        },
    ]
}
