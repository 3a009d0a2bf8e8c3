import Supervision

/// A deliberate mistake between supervision and those who see its actions.
package enum Sabotage: String, CaseIterable, Sendable {
    case none
}

struct Saboteur {
    let sabotage: Sabotage

    init(_ sabotage: Sabotage) {
        self.sabotage = sabotage
    }

    mutating func alter(_ actions: inout [Action], _ event: Event, _ now: Instant) {}
}
