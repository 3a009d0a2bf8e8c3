import SergeantCG
import Supervision

extension FuzzedParser {
    /// What workers say.
    static let workers = [
        FuzzedParser("notification", longest: 4200) { bytes in
            let notification = WorkerNotification(bytes)
            must(
                notification.inputs.count + notification.faults <= bytes.count + 1,
                "more said than there are lines")
            must(
                (notification.status?.utf8.count ?? 0) <= WorkerNotification.mostStatusBytes,
                "a status of any length")
        },
        FuzzedParser("report") { bytes in
            var channel = ReportChannel(Descriptor(owning: -1))
            for piece in pieces(bytes) {
                // `drain` takes no more after a fault.
                guard channel.fault == nil else { break }
                Array(piece).withUnsafeBytes { channel.take($0) }
            }
            if let report = channel.report {
                must((report.exception?.utf8.count ?? 0) <= 3 * bytes.count, "an exception from nowhere")
            }
        },
        FuzzedParser("lines", longest: 20_000) { bytes in
            var breaker = LineBreaker()
            var lines: [[UInt8]] = []
            // Ends come in large pieces too, for a line is broken at 8 KiB.
            let whole = bytes.dropFirst(8)
            for piece in pieces(bytes) {
                Array(piece).withUnsafeBytes { breaker.take($0) { lines.append($0) } }
            }
            breaker.finish({ lines.append($0) }, evenIfEmpty: false)
            must(lines.allSatisfy { $0.count <= LineBreaker.longest }, "a line of any length")
            let ends = whole.count { $0 == UInt8(ascii: "\n") }
            must(
                lines.reduce(0) { $0 + $1.count } == whole.count - ends, "bytes came or went")
        },
        FuzzedParser("log-text") { bytes in
            let text = text(bytes)
            for scalar in LogLines.escaped(text).unicodeScalars {
                must(scalar.properties.generalCategory != .control, "a control character in a line")
            }
            var json = JSONText()
            json.object { $0.member("a", .text(text)) }
            guard let outline = JSONOutline(json.bytes, deepest: 2), let place = outline["a"] else {
                fatalError("what was written is no JSON")
            }
            must(!json.bytes[place].contains { $0 < 0x20 || $0 == 0x7F }, "a control character in a line")
        },
        FuzzedParser("stored-workers", longest: 512) { bytes in
            let names = bytes.split(separator: 0).map(text)
            let group = GroupConfiguration(program: .command(["a"]), workers: 3)
            let newest = StoredWorker.newest(of: group, in: names)
            must(newest.count <= 3, "more workers than the group has")
            for (slot, number) in newest {
                let name = StoredWorker.name(group: group.name, slot: slot, number: number, .process)
                must(names.contains { "worker." + $0 == name }, "\(name) was not there")
            }
        },
    ]
}
