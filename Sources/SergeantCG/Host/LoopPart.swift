package import Supervision

/// Something that lives on the supervisor's loop beside the workers: the control socket, a watchdog.
///
/// It listens to descriptors and sets timers through its ``HostAccess``, and never waits: the workers would wait
/// with it.
package protocol LoopPart: AnyObject {
    /// Comes once, before the first worker is started.
    ///
    /// - Throws: ``SupervisorError`` where the supervisor must not run without this part.
    func join(_ host: HostAccess) throws(SupervisorError)

    /// A descriptor is ready that it listens to under this key.
    func descriptorIsReady(_ key: UInt32)

    /// A timer of this key has come due.
    func timerIsDue(_ key: UInt32)

    /// SIGHUP came, and not because a terminal ended. True: it is taken, and is no request to stop.
    func takesHangup() -> Bool

    /// All that had come was dealt with, and every occurrence of it was told. Comes at the end of every turn of the
    /// loop, so it costs nothing where there is nothing to do.
    func endTurn()

    /// Supervision has ended, nothing follows. What it made is to be removed.
    func leave()
}

extension LoopPart {
    package func descriptorIsReady(_ key: UInt32) {}
    package func timerIsDue(_ key: UInt32) {}
    package func takesHangup() -> Bool { false }
    package func endTurn() {}
    package func leave() {}
}

/// What a part of the loop may see and do.
package struct HostAccess {
    unowned let host: Host
    private let part: Int

    init(_ host: Host, part: Int) {
        self.host = host
        self.part = part
    }

    /// Has ``LoopPart/descriptorIsReady(_:)`` called while a descriptor is ready. A descriptor that is closed is forgotten
    /// by itself, once no child on its way to its exec has a copy.
    ///
    /// - Returns: 0, or the errno.
    func listen(to descriptor: Int32, _ interest: EventLoop.Interest, key: UInt32) -> Int32 {
        host.loop.add(descriptor, interest, token: Host.token(part: part, key: key))
    }

    /// Listens for something else under the key than before.
    ///
    /// - Returns: 0, or the errno.
    func listen(again descriptor: Int32, _ interest: EventLoop.Interest, key: UInt32) -> Int32 {
        host.loop.change(descriptor, interest, token: Host.token(part: part, key: key))
    }

    /// Forgets a descriptor that stays open.
    func ignore(_ descriptor: Int32) {
        host.loop.remove(descriptor)
    }

    /// Has ``LoopPart/timerIsDue(_:)`` called once at that instant; sets the same timer anew.
    package func setTimer(_ key: UInt32, at instant: Instant) {
        host.timers.set(.part(part, key), at: instant)
    }

    package func cancelTimer(_ key: UInt32) {
        host.timers.cancel(.part(part, key))
    }

    /// Hands an event to supervision; it is handled in this turn of the loop or the next.
    package func post(_ event: Event) {
        host.events.append(event)
    }

    /// Tells every observer.
    package func tell(_ occurrence: Occurrence) {
        host.tell(occurrence)
    }

    /// Supervision as it stands, to be read.
    package var supervision: Supervision { host.supervision }

    package var names: Names { host.names }

    /// Has workers of this group started by another configuration from now on; a place after the last adds a group.
    func replace(_ group: GroupHost, at index: Int, _ name: Names.Group) {
        host.replace(group, at: index, name)
    }

    /// By which the workers of each group are started now.
    var configurations: [GroupConfiguration] { host.groups.map(\.configuration) }

    /// What the host holds of an incarnation; nil where that is gone.
    func worker(_ id: IncarnationID) -> Worker? { host.workers[id] }
}
