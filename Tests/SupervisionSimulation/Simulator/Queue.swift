import Supervision

/// What is to happen, earliest first; of two at one instant, the one that was added first.
struct Queue<Element> {
    private struct Entry {
        var instant: UInt64
        var order: UInt64
        var place: Int

        func isBefore(_ other: Entry) -> Bool {
            instant != other.instant ? instant < other.instant : order < other.order
        }
    }

    /// A binary heap of small entries; the elements stay where they are.
    private var heap: [Entry] = []
    private var elements: [Element?] = []
    private var free: [Int] = []
    private var order: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(_ element: Element, at instant: Instant) {
        let place: Int
        if let reused = free.popLast() {
            place = reused
            elements[place] = element
        } else {
            place = elements.count
            elements.append(element)
        }
        order += 1
        heap.append(Entry(instant: instant.nanoseconds, order: order, place: place))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (element: Element, at: Instant)? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        guard let element = elements[top.place] else { return nil }
        elements[top.place] = nil
        free.append(top.place)
        return (element, Instant(nanoseconds: top.instant))
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2)
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
