internal import CgroupKit
internal import Glibc
internal import Supervision

/// Where the workers of one group write: what becomes their descriptors 1 and 2.
final class GroupOutput {
    private enum Way {
        case inherit
        case prefix(PrefixedOutput)
        case journal
        case file(Int32)
    }

    private let way: Way
    private var fault: String?

    /// - Parameter prefixed: where the lines of `--output prefix` go.
    /// - Throws: ``SupervisorError`` where the file cannot be written, or there is no journald.
    init(_ output: WorkerOutput, prefixed: PrefixedOutput?) throws(SupervisorError) {
        switch output {
        case .inherit: way = .inherit
        case .prefix:
            guard let prefixed else {
                throw SupervisorError(
                    .configuration,
                    "--output prefix takes a restart where no group had it: this supervisor runs without")
            }
            way = .prefix(prefixed)
        case .journal:
            try JournalStream.check()
            way = .journal
        case .file(let path): way = .file(try Self.open(path))
        }
    }

    deinit {
        if case .file(let descriptor) = way { close(descriptor) }
    }

    /// The descriptors to name in what is prepared; their sources come with each start.
    var targets: [ProcessSpecification.Descriptor] {
        if case .inherit = way { return [] }
        return [.init(source: 1, target: 1), .init(source: 2, target: 2)]
    }

    /// The last variables of every worker, with what stands for them until a start.
    var variables: [String] {
        if case .journal = way { return ["JOURNAL_STREAM="] }
        return []
    }

    /// Calls `body` with what a worker's descriptors 1 and 2 are to be, nil for ours, and its variables.
    ///
    /// Where the worker's own cannot be had, it writes to where we do, and ``takeFault()`` says why: a worker is not
    /// kept from its work for want of a log.
    func withDescriptor<Result: ~Copyable, Failure: Error>(
        _ slot: SlotID, named name: String,
        _ body: (Int32?, [String]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch way {
        case .inherit: return try body(nil, [])
        case .file(let descriptor): return try body(descriptor, [])
        case .prefix(let output):
            let pipe: Descriptor
            do { pipe = try output.open(slot, named: name) } catch {
                fault = "\(name) writes to the supervisor's own output: \(error.description)"
                return try body(nil, [])
            }
            return try body(pipe.number, [])
        case .journal:
            let stream: Descriptor
            do { stream = try JournalStream.open(identifier: name) } catch {
                fault = "\(name) writes to the supervisor's own output: \(error.description)"
                return try body(nil, [Self.ownStream])
            }
            return try body(stream.number, ["JOURNAL_STREAM=\(JournalStream.name(of: stream.number) ?? "")"])
        }
    }

    /// What was wrong at the last start.
    func takeFault() -> String? {
        defer { fault = nil }
        return fault
    }

    private static var ownStream: String {
        "JOURNAL_STREAM=\(getenv("JOURNAL_STREAM").map { String(cString: $0) } ?? "")"
    }

    private static func open(_ path: String) throws(SupervisorError) -> Int32 {
        // A named pipe without a reader would have us wait: then it is refused instead (ENXIO, fifo(7)).
        let descriptor = Glibc.open(
            path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else { throw refusal(path, errno) }
        // The workers' writes wait, as those of any program.
        guard fcntl(descriptor, F_SETFL, O_APPEND) == 0 else {
            let error = errno
            close(descriptor)
            throw refusal(path, error)
        }
        return descriptor
    }

    private static func refusal(_ path: String, _ error: Int32) -> SupervisorError {
        let reason =
            error == ENXIO ? "it is a named pipe that nobody reads" : String(cString: strerror(error))
        return SupervisorError(
            .configuration, "cannot write the workers' output to \(path): \(reason) (errno \(error))")
    }
}
