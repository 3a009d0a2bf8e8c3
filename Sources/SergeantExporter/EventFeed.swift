internal import Glibc
internal import NIOPosix
internal import SergeantCG
internal import Synchronization

/// Follows what occurs for everyone who looks, over one connection to the supervisor. While nobody looks it begins none.
final class EventFeed: Sendable {
    /// What a reader is told.
    enum Item: Sendable {
        case event(EventBatch.Event)
        /// Nothing occurred for a while.
        case silence
    }

    /// How many of the last a new reader gets, and how many wait for one that is slow. What is missing, the numbers show.
    private static let kept = 256
    /// Between two attempts to reach a supervisor, in seconds.
    private static let pause: UInt32 = 1
    /// A reader that has gone is found out when it is told something.
    private static let longestSilence: Duration = .seconds(15)

    private struct State {
        var readers: [Int: AsyncStream<Item>.Continuation] = [:]
        var lastReader = 0
        var isFollowing = false
        /// The latest, oldest first.
        var latest: [EventBatch.Event] = []
    }

    private let path: String?
    private let name: String?
    private let state = Mutex(State())
    /// The supervisor is waited for on a thread.
    private let threads = NIOThreadPool(numberOfThreads: 1)

    /// Of the supervisor that listens at `path`, or has this name, or is the only one.
    init(path: String?, name: String?) {
        self.path = path
        self.name = name
        threads.start()
    }

    /// The latest events, and then those that come, until the reader leaves.
    ///
    /// - Parameter number: the last event it has; nil for all that are kept.
    func items(after number: UInt64?) -> AsyncStream<Item> {
        let (stream, reader) = AsyncStream.makeStream(
            of: Item.self, bufferingPolicy: .bufferingNewest(Self.kept))
        let pulse = Task {
            while true {
                try await Task.sleep(for: Self.longestSilence)
                reader.yield(.silence)
            }
        }
        let begins = state.withLock { state in
            state.lastReader += 1
            let key = state.lastReader
            reader.onTermination = { [self] _ in
                pulse.cancel()
                _ = self.state.withLock { $0.readers.removeValue(forKey: key) }
            }
            for event in state.latest where event.number > number ?? 0 { reader.yield(.event(event)) }
            state.readers[key] = reader
            defer { state.isFollowing = true }
            return !state.isFollowing
        }
        if begins { threads.submit { _ in self.follow() } }
        return stream
    }

    /// As long as anybody reads.
    private func follow() {
        while isWanted() {
            // That nobody answers, readers see by the status.
            if let client = try? ControlClient.reach(path: path, name: name) {
                try? client.watch(after: 0, follows: true) { take($0) }
            }
            sleep(Self.pause)
        }
    }

    private func isWanted() -> Bool {
        state.withLock { state in
            state.isFollowing = !state.readers.isEmpty
            return state.isFollowing
        }
    }

    private func take(_ batch: EventBatch) {
        state.withLock { state in
            // After a break all that is remembered comes once more. Another supervisor counts anew, later.
            let last = state.latest.last
            let new = batch.events.filter { $0.number > last?.number ?? 0 || $0.time > last?.time ?? "" }
            state.latest = (state.latest + new).suffix(Self.kept)
            for reader in state.readers.values {
                for event in new { reader.yield(.event(event)) }
            }
        }
    }
}
