internal import CLinux
internal import FoundationEssentials
internal import Glibc
package import Supervision

/// What a `sergeant` worker's launcher says: JSON, a message a line, over a socket pair.
package struct ReportChannel: ~Copyable {
    /// A message; everything in it comes from outside.
    private struct Message: Decodable {
        var event: String
        var return_code: Int32?
        var exception: String?
        var stacktrace: String?
        var unkillable_threads: [String]?
        var summary: String?
    }

    /// The most a worker may say in all. Far above any stack trace, far below what would harm us.
    package static let capacity = 32 << 20
    /// The launcher sends three at most.
    private static let mostMessages = 16

    package let descriptor: Descriptor
    private var buffer: [UInt8] = []
    private var taken = 0
    private var messages = 0
    package private(set) var isReady = false
    package private(set) var report: WorkerReport?
    /// Something came that is no message of the launcher's.
    package private(set) var fault: String?
    package private(set) var isClosed = false

    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// What it has read until now, for another image of this program.
    package struct Memory: Codable {
        var descriptor: Int32
        var buffer: Data
        var taken: Int
        var messages: Int
        var isReady: Bool
        var report: WorkerReport?
        var fault: String?
        var isClosed: Bool
    }

    package var memory: Memory {
        Memory(
            descriptor: descriptor.number, buffer: Data(buffer), taken: taken, messages: messages,
            isReady: isReady,
            report: report, fault: fault, isClosed: isClosed)
    }

    /// Goes on reading where another image stopped.
    package init(_ memory: Memory) {
        descriptor = Descriptor(owning: memory.descriptor)
        buffer = Array(memory.buffer)
        taken = memory.taken
        messages = memory.messages
        isReady = memory.isReady
        report = memory.report
        fault = memory.fault
        isClosed = memory.isClosed
    }

    /// Reads what is there, without waiting. After a fault nothing more is read.
    package mutating func drain() {
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { chunk in
            while !isClosed, fault == nil {
                let count = recv(descriptor.number, chunk.baseAddress, chunk.count, LINUX_MSG_DONTWAIT)
                let error = errno
                if count > 0 {
                    take(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
                } else if count == 0 || (error != EAGAIN && error != EINTR) {
                    isClosed = true
                } else if error == EAGAIN {
                    break
                }
            }
        }
        // Most channels are idle most of the time.
        if buffer.isEmpty { buffer = [] }
    }

    /// Takes what came, for ``drain()`` and for tests of what may come.
    package mutating func take(_ bytes: UnsafeRawBufferPointer) {
        taken += bytes.count
        guard taken <= Self.capacity else {
            fault = "its worker said more than \(Self.capacity) bytes on the report channel"
            return
        }
        var search = buffer.count
        buffer.append(contentsOf: bytes)
        var start = 0
        while fault == nil, let end = buffer[search...].firstIndex(of: UInt8(ascii: "\n")) {
            take(buffer[start..<end])
            start = end + 1
            search = start
        }
        buffer.removeFirst(start)
    }

    private mutating func take(_ line: ArraySlice<UInt8>) {
        messages += 1
        guard messages <= Self.mostMessages else {
            fault = "its worker sent more than \(Self.mostMessages) messages on the report channel"
            return
        }
        guard let message = try? JSONDecoder().decode(Message.self, from: Data(line)) else {
            fault = "its worker said something on the report channel that is no message"
            return
        }
        switch message.event {
        case "loaded": break
        case "ready": isReady = true
        case "finished":
            report = WorkerReport(
                returnCode: message.return_code ?? 1, exception: message.exception,
                stacktrace: message.stacktrace,
                unkillableThreads: message.unkillable_threads ?? [], summary: message.summary)
        case "unavailable":
            report = WorkerReport(returnCode: nil, exception: message.exception)
        default:
            fault = "its worker sent the unknown message '\(message.event.prefix(40))' on the report channel"
        }
    }
}
