/// First in, first out, in one array.
package struct Queue<Element> {
    private var elements: [Element] = []
    private var head = 0

    package init() {}

    package var isEmpty: Bool { head == elements.count }

    package mutating func append(_ element: Element) {
        elements.append(element)
    }

    /// What is in it, first in first.
    package var all: ArraySlice<Element> { elements[head...] }

    package mutating func next() -> Element? {
        guard head < elements.count else {
            elements.removeAll(keepingCapacity: elements.capacity <= 1024)
            head = 0
            return nil
        }
        defer { dropTaken() }
        return elements[head]
    }

    /// While there is always something left, what was taken must not pile up.
    private mutating func dropTaken() {
        head += 1
        guard head >= 256, head >= elements.count / 2 else { return }
        elements.removeFirst(head)
        head = 0
    }
}
