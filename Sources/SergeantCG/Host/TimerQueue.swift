internal import CLinux
internal import Glibc
package import Supervision

/// All timers on one timerfd: a heap of deadlines, of which the kernel knows the nearest.
package struct TimerQueue<ID: Hashable>: ~Copyable {
    private struct Entry {
        var deadline: Instant
        var id: ID
        var generation: UInt64
    }

    private let timer: Descriptor
    private var heap: [Entry] = []
    /// Which entry of a timer counts: a timer moved or cancelled leaves its old one behind in the heap.
    private var current: [ID: UInt64] = [:]
    private var generation: UInt64 = 0
    private var armed: Instant?

    package init() throws(SupervisorError) {
        let result = timerfd_create(CLOCK_MONOTONIC, LINUX_TFD_NONBLOCK | LINUX_TFD_CLOEXEC)
        timer = try Descriptor(result, operation: "make a timer", errno: errno)
    }

    package var descriptor: Int32 { timer.number }

    package mutating func set(_ id: ID, at deadline: Instant) {
        generation += 1
        current[id] = generation
        push(Entry(deadline: deadline, id: id, generation: generation))
    }

    package mutating func cancel(_ id: ID) {
        current[id] = nil
    }

    /// All that are set, in no order.
    package var pending: [(id: ID, deadline: Instant)] {
        heap.filter { current[$0.id] == $0.generation }.map { ($0.id, $0.deadline) }
    }

    /// The next timer that is due, taken out.
    package mutating func next(due now: Instant) -> ID? {
        dropStale()
        guard let first = heap.first, first.deadline <= now else { return nil }
        pop()
        current[first.id] = nil
        return first.id
    }

    /// Reads the expiry away, so that the descriptor is quiet until the next.
    package mutating func acknowledge() {
        var count: UInt64 = 0
        // EAGAIN: it was moved since it fired.
        _ = read(timer.number, &count, 8)
        armed = nil
    }

    /// Tells the kernel the nearest deadline, if that is another than it knows.
    package mutating func arm() throws(SupervisorError) {
        dropStale()
        let nearest = heap.first?.deadline
        guard nearest != armed else { return }
        armed = nearest
        var setting = itimerspec()
        if let nearest {
            // Zero would disarm.
            let nanoseconds = max(nearest.nanoseconds, 1)
            setting.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
            setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        }
        guard timerfd_settime(timer.number, LINUX_TFD_TIMER_ABSTIME, &setting, nil) == 0 else {
            throw SupervisorError(.system, "cannot set the timer: timerfd_settime failed with errno \(errno)")
        }
    }

    // MARK: Heap

    private mutating func dropStale() {
        while let first = heap.first, current[first.id] != first.generation { pop() }
        // Timers that are always moved and never due must not pile up.
        if heap.count > 64, heap.count > 4 * current.count {
            let live = heap.filter { current[$0.id] == $0.generation }
            heap.removeAll(keepingCapacity: true)
            for entry in live { push(entry) }
        }
    }

    private mutating func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func pop() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
