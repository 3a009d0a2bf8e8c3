internal import Glibc

/// Cuts the bytes of a connection into messages, each ended by a NUL.
package struct MessageBuffer {
    /// The most bytes of a message.
    private let capacity: Int
    private var bytes: [UInt8] = []
    /// Where the next message starts.
    private var start = 0
    /// Up to where no NUL was found.
    private var searched = 0

    package init(capacity: Int) {
        self.capacity = capacity
    }

    /// Nothing of a message is held.
    package var isEmpty: Bool { start == bytes.count }

    /// A whole message is held.
    package var hasMessage: Bool {
        mutating get { end() != nil }
    }

    /// It holds the start of a message that is too long to be one.
    package var isOverfull: Bool {
        mutating get { end() == nil && bytes.count - start > capacity }
    }

    /// What no message was made of yet.
    package var unread: [UInt8] { Array(bytes[start...]) }

    package mutating func append(_ more: some Collection<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// The next whole message, without its NUL.
    package mutating func next() -> [UInt8]? {
        guard let end = end() else { return nil }
        let message = Array(bytes[start..<end])
        start = end + 1
        searched = start
        if start == bytes.count {
            // Most connections are idle most of the time.
            bytes = []
            start = 0
            searched = 0
        } else if start > capacity {
            bytes.removeFirst(start)
            searched = 0
            start = 0
        }
        return message
    }

    private mutating func end() -> Int? {
        let found = bytes.withUnsafeBytes { held -> Int? in
            let rest = UnsafeRawBufferPointer(rebasing: held[searched...])
            guard let base = rest.baseAddress, let end = memchr(base, 0, rest.count) else { return nil }
            return searched + base.distance(to: end)
        }
        searched = found ?? bytes.count
        return found
    }
}
