package import FoundationEssentials
internal import Glibc
internal import Supervision

/// Everything that one image of the program hands to the next in a live upgrade: what it decided on, what it holds
/// of its workers, and the numbers of the descriptors that stay open.
///
/// As bytes it is a line that names the format, then JSON. An image that does not know the format, or finds
/// something missing, must not take over; see ``UpgradeCheck``.
struct UpgradeState: Codable {
    /// Raised when an earlier image could misunderstand what follows.
    static let format = 1

    /// Which version of the program wrote it.
    var version: String
    /// As they are run now, which may be others than the command line names.
    var groups: [GroupConfiguration]
    var supervision: Supervision
    var timers: [Timer]
    var workers: [WorkerMemory]
    var subtree: Subtree.Memory
    var sockets: [ListeningSockets.Socket]
    var stopWasAsked: Bool
    var openFileLimit: OpenFileLimit?
    var oomScoreAdjustment: Int32?
    /// What observers and parts of the loop remember, by their names.
    var memories: [String: UpgradeMemory]

    struct Timer: Codable {
        var id: TimerID
        /// CLOCK_MONOTONIC, which goes on.
        var deadline: Instant
    }

    struct WorkerMemory: Codable {
        var id: IncarnationID
        var directory: String
        var cgroupPath: String
        var cgroup: Int32
        var process: Process?
        var awaitsProgram: Bool
        var reports: ReportChannel.Memory?
        var toldReady: Bool
        var socket: Socket?
        var status: String?
        var toldNotifyFault: Bool
        var watchesMemory: Bool
        var watchesEmptiness: Bool
        var asksForEmptiness: Bool
        /// Left out for a child of our own.
        var isAdopted: Bool?
        var startFailure: StartFailure?
        var account: Account?
        var refusals: UInt64?
        var toldRefusals: Bool?
    }

    /// A notify socket.
    struct Socket: Codable {
        var descriptor: Int32
        var path: String
    }

    struct Process: Codable {
        var pid: Int32
        var pidfd: Int32
        var statusPipe: Int32?
    }

    /// All that must stay open.
    var descriptors: [Int32] {
        var result = [subtree.root] + sockets.map(\.descriptor) + memories.values.flatMap(\.descriptors)
        for worker in workers {
            result.append(worker.cgroup)
            if let process = worker.process {
                result.append(process.pidfd)
                if let pipe = process.statusPipe { result.append(pipe) }
            }
            if let reports = worker.reports { result.append(reports.descriptor) }
            if let socket = worker.socket { result.append(socket.descriptor) }
        }
        return result
    }
}

/// What an observer or a part of the loop remembers across an upgrade.
package struct UpgradeMemory: Codable, Sendable {
    /// In a form that is its own affair.
    package var bytes: Data
    /// Descriptors of it that stay open. Whoever hands them over goes on using them if the upgrade comes to nothing.
    package var descriptors: [Int32]

    /// Takes each part as it is.
    package init(_ bytes: Data, descriptors: [Int32] = []) {
        self.bytes = bytes
        self.descriptors = descriptors
    }
}

/// An observer, or a part of the loop, whose memory lives through an upgrade.
package protocol Remembering: AnyObject {
    /// Which memory is whose: the same in every version.
    var memoryName: String { get }

    /// What it knows now. Nothing is to change by it, for the upgrade may come to nothing.
    func remember() throws -> UpgradeMemory

    /// Takes up what the image before knew, before anything else comes. What it does not understand it forgets.
    func recall(_ memory: UpgradeMemory)
}

// MARK: Bytes

extension UpgradeState {
    private static let mark = "sergeantcg-state"

    /// - Throws: EncodingError, or what a part could not remember.
    func bytes() throws -> [UInt8] {
        Array("\(Self.mark) \(Self.format)\n".utf8) + Array(try JSONEncoder().encode(self))
    }

    /// - Throws: ``SupervisorError`` with a sentence that says what is not understood.
    init(bytes: [UInt8]) throws(SupervisorError) {
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count == 2, words[0] == Self.mark, let format = Int(words[1]) else {
            throw SupervisorError(.system, "what was handed over is no state of a supervisor")
        }
        guard format == Self.format else {
            throw SupervisorError(
                .system,
                "sergeantcg \(Version.current) does not know the format \(format) of the state handed over, only \(Self.format)"
            )
        }
        do {
            self = try JSONDecoder().decode(UpgradeState.self, from: Data(bytes.dropFirst(line.count + 1)))
        } catch {
            throw SupervisorError(
                .system,
                "sergeantcg \(Version.current) does not understand the state handed over: \(Self.place(of: error))"
            )
        }
    }

    private static func place(of error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let (what, context): (String, DecodingError.Context) =
            switch error {
            case .keyNotFound(let key, let context): ("'\(key.stringValue)' is missing in", context)
            case .typeMismatch(_, let context): ("of another type is", context)
            case .valueNotFound(_, let context): ("empty is", context)
            case .dataCorrupted(let context): ("damaged is", context)
            @unknown default: ("unknown is", DecodingError.Context(codingPath: [], debugDescription: ""))
            }
        let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
        return "\(what) '\(path.joined(separator: "."))'"
    }
}
