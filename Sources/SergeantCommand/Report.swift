internal import ArgumentParser
internal import Glibc
internal import SergeantCG

/// `sergeantcg report`: what an account says of each group.
struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sum up an account: what workers cost, how much memory they need, how they end.",
        shouldDisplay: Listing.isWhole)

    @Argument(help: "A file of --accounting; several are read as one.")
    var files: [String]

    @Option(
        help: ArgumentHelp("Draw the peaks of memory against the limits into this file.", valueName: "file"))
    var svg: String?

    func run() throws {
        Signals.release()
        var report = AccountReport()
        for file in files { try read(file) { report.take($0) } }
        report.finish()
        tell(report)
        if let svg { try write(PeakHistogram(report).svg, to: svg) }
    }

    private func tell(_ report: AccountReport) {
        print(Self.table.row("GROUP", "ENDED", "CPU s", "EACH", "PEAK p50", "p95", "max", "LIMIT", "MAX"))
        for group in report.groups {
            print(
                Self.table.row(
                    LogLines.escaped(group.name), "\(group.count)", Self.seconds(group.cpuMicroseconds),
                    Self.seconds(group.cpuMicroseconds / group.count), ByteCount.cell(group.peak(0.5)),
                    ByteCount.cell(group.peak(0.95)), ByteCount.cell(group.peaks.last),
                    ByteCount.cell(group.memoryLimit), ByteCount.cell(group.memoryMax)))
            let ends = group.ends.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { reason, count in
                let tenths = (count * 1000 + group.count / 2) / group.count
                return "\(LogLines.escaped(reason)) \(tenths / 10).\(tenths % 10) %"
            }
            print("  \(ends.joined(separator: ", "))")
        }
        if report.unreadable > 0 {
            LastWord([]).say(
                "\(report.unreadable) line\(report.unreadable == 1 ? "" : "s") could not be read, as one that a crash tore"
            )
        }
    }

    /// 80 columns where the group's name has at most 13.
    private static let table = TextTable(name: 13, cells: [7, 10, 9, 10, 8, 8, 8, 7])

    private static func seconds(_ microseconds: UInt64) -> String {
        "\(microseconds / 1_000_000).\(LogLines.padded(Int(microseconds / 10_000 % 100), to: 2))"
    }

    // MARK: Files

    private func read(_ path: String, _ take: ([UInt8]) -> Void) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.fault("read", path, errno) }
        defer { close(descriptor) }
        // A line of any length is no line of an account, and takes no memory.
        var breaker = LineBreaker()
        func takeLine(_ line: [UInt8]) { if !line.isEmpty { take(line) } }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.fault("read", path, errno) }
            guard count > 0 else { break }
            buffer.withUnsafeBytes { bytes in
                breaker.take(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { takeLine($0) }
            }
        }
        breaker.finish(takeLine, evenIfEmpty: false)
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.fault("write", path, errno) }
        defer { close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.fault("write", path, errno) }
            bytes = bytes.dropFirst(count)
        }
    }

    private static func fault(_ verb: String, _ path: String, _ error: Int32) -> SupervisorError {
        SupervisorError(
            .system, "cannot \(verb) \(path): \(String(cString: strerror(error))) (errno \(error))")
    }
}
