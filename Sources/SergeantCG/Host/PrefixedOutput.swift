internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import Supervision

/// What the workers print, line by line on standard output, each behind its worker's name (`--output prefix`).
///
/// The workers write to pipes, which are always read, so that none waits for a slow terminal: what nobody reads is
/// dropped, counted and said, as of the log.
package final class PrefixedOutput: LoopPart {
    /// One worker's pipe.
    private final class Source {
        let pipe: Descriptor
        let prefix: [UInt8]
        var lines: LineBreaker

        init(_ pipe: consuming Descriptor, prefix: [UInt8], lines: LineBreaker = LineBreaker()) {
            self.pipe = pipe
            self.prefix = prefix
            self.lines = lines
        }
    }

    private enum Reading {
        case more, empty, ended
    }

    /// The key of the sink; those of the pipes are above.
    private static let sinkKey: UInt32 = 0
    /// Read in one go, so that one worker's flood is not in the way of the others.
    private static let share = 64 << 10

    private let sink: LineSink
    private let isColoured: Bool
    private let width: Int
    private var host: HostAccess?
    private var sources: [UInt32: Source] = [:]
    private var lastKey = PrefixedOutput.sinkKey
    private var awaited: Int32?
    /// The pipes that an image before us handed over.
    private var inherited: [Source] = []

    /// - Parameters:
    ///   - descriptor: where the lines go; it stays the caller's.
    ///   - isColoured: it is a terminal.
    ///   - width: of the longest worker's name.
    package init(descriptor: Int32, isColoured: Bool, width: Int) {
        sink = LineSink(descriptor: descriptor)
        self.isColoured = isColoured
        self.width = width
    }

    /// Makes a worker's pipe.
    ///
    /// - Returns: the end to write to.
    func open(_ slot: SlotID, named name: String) throws(SupervisorError) -> Descriptor {
        var ends: [Int32] = [-1, -1]
        let made = linux_pipe2(&ends, O_CLOEXEC)
        let reading = try Descriptor(made < 0 ? made : ends[0], operation: "make a pipe", errno: -made)
        let writing = Descriptor(owning: ends[1])
        // The other end is another open file: the worker's writes wait as those to any pipe.
        guard fcntl(reading.number, F_SETFL, O_NONBLOCK) == 0 else {
            throw SupervisorError(.system, "cannot read a pipe without waiting: errno \(errno)")
        }
        try listen(to: Source(reading, prefix: prefix(slot, name)))
        return writing
    }

    private func listen(to source: Source) throws(SupervisorError) {
        guard let host else { return }
        repeat { lastKey = lastKey &+ 1 } while lastKey == Self.sinkKey || sources[lastKey] != nil
        let error = host.listen(to: source.pipe.number, .readable, key: lastKey)
        guard error == 0 else {
            throw SupervisorError(.system, "cannot listen to a pipe: \(String(cString: strerror(error)))")
        }
        sources[lastKey] = source
    }

    private func prefix(_ slot: SlotID, _ name: String) -> [UInt8] {
        let padded = name + String(repeating: " ", count: max(0, width - name.count))
        guard isColoured else { return Array("\(padded) | ".utf8) }
        // Red is for what goes wrong.
        let colours = ["36", "33", "32", "35", "34", "96", "93", "92", "95", "94"]
        let colour = colours[(slot.group * 3 + slot.slot - 1) % colours.count]
        return Array("\u{1B}[\(colour)m\(padded) |\u{1B}[0m ".utf8)
    }

    // MARK: LoopPart

    package func join(_ host: HostAccess) throws(SupervisorError) {
        self.host = host
        let inherited = self.inherited
        self.inherited = []
        for source in inherited { try listen(to: source) }
    }

    package func descriptorIsReady(_ key: UInt32) {
        // The sink is flushed at the end of the turn.
        guard let source = sources[key] else { return }
        if read(source) == .ended { close(key, source) }
    }

    package func endTurn() {
        sink.flush()
        if sink.dropped > 0, sink.hasRoom {
            let dropped = sink.takeDropped()
            host?.tell(
                .hostNotice(
                    sentence: "\(dropped) lines of the workers' output were dropped: nobody read them"))
        }
        let descriptor = sink.isWaiting ? sink.readiness : nil
        guard descriptor != awaited, let host else { return }
        if let awaited { host.ignore(awaited) }
        awaited = nil
        // A descriptor that epoll does not take is tried again at the end of the next turn.
        if let descriptor, host.listen(to: descriptor, .writable, key: Self.sinkKey) == 0 {
            awaited = descriptor
        }
    }

    /// The workers are gone: what they said last, and a moment for a slow reader.
    package func leave() {
        for (key, source) in sources {
            while read(source) == .more {}
            close(key, source)
        }
        sink.drain(milliseconds: 500)
        host = nil
    }

    // MARK: Reading

    private func read(_ source: Source) -> Reading {
        withUnsafeTemporaryAllocation(byteCount: Self.share, alignment: 1) { buffer in
            let count = Glibc.read(source.pipe.number, buffer.baseAddress, buffer.count)
            guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? .empty : .ended }
            source.lines.take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { write($0, of: source) }
            return .more
        }
    }

    private func close(_ key: UInt32, _ source: Source) {
        source.lines.finish({ write($0, of: source) }, evenIfEmpty: false)
        // A child that has not come to its exec may have a copy, which would stay on the loop.
        host?.ignore(source.pipe.number)
        sources[key] = nil
    }

    private func write(_ line: [UInt8], of source: Source) {
        var text = source.prefix + line
        // A colour that the worker left on is not the next line's.
        if isColoured, line.contains(0x1B) { text += Array("\u{1B}[0m".utf8) }
        text.append(UInt8(ascii: "\n"))
        sink.append(text)
    }
}

extension PrefixedOutput: Remembering {
    private struct Memory: Codable {
        struct Pipe: Codable {
            var descriptor: Int32
            var prefix: Data
            var lines: LineBreaker
        }

        var sink: LineSink.Memory
        var pipes: [Pipe]
    }

    package var memoryName: String { "prefixed-output" }

    package func remember() throws -> UpgradeMemory {
        let pipes = sources.values.map { source in
            Memory.Pipe(
                descriptor: source.pipe.number, prefix: Data(source.prefix), lines: source.lines)
        }
        return UpgradeMemory(
            try JSONEncoder().encode(Memory(sink: sink.memory, pipes: pipes)),
            descriptors: pipes.map(\.descriptor))
    }

    package func recall(_ memory: UpgradeMemory) {
        guard let memory = try? JSONDecoder().decode(Memory.self, from: memory.bytes) else { return }
        sink.recall(memory.sink)
        inherited = memory.pipes.map { pipe in
            Source(Descriptor(owning: pipe.descriptor), prefix: Array(pipe.prefix), lines: pipe.lines)
        }
    }
}
