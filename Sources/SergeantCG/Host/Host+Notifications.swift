internal import CgroupKit
internal import Glibc
internal import Supervision

/// What workers say on their notify sockets.
extension Host {
    /// Datagrams of one worker that are taken in one turn: whoever sends thousands waits for its turn.
    private static let notificationsPerTurn = 32

    /// A socket for an incarnation that is about to be started.
    func makeNotifySocket(_ id: IncarnationID) throws(SupervisorError) -> WorkerSocket {
        let directory: NotifyDirectory
        if let notifyDirectory {
            directory = notifyDirectory
        } else {
            directory = try NotifyDirectory(number: subtree.number)
            notifyDirectory = directory
        }
        let path = "\(directory.path)/\(id.group).\(id.slot.slot).\(id.number)"
        guard let user = groups[id.group].configuration.user, !user.isOurs else {
            return try WorkerSocket(path: path)
        }
        try directory.admitOthers()
        return try WorkerSocket(path: path, of: user)
    }

    func takeNotifications(_ worker: Worker) {
        // Until its program is known to run, whatever is said waits in the socket.
        guard !worker.awaitsProgram, let pid = worker.process?.pid else { return }
        var status: String?
        for _ in 0..<Self.notificationsPerTurn {
            guard let arrival = worker.socket?.next() else { break }
            guard comes(arrival.sender, from: worker) else {
                tellOnce(worker, "a process outside of it (PID \(arrival.sender)) wrote to its notify socket")
                continue
            }
            let mayHaveDescriptors = arrival.notification.isBarrier && arrival.descriptors == 1
            if arrival.notification.faults > 0 || arrival.isTruncated
                || (arrival.descriptors > 0 && !mayHaveDescriptors)
            {
                tellOnce(worker, "it said something on its notify socket that is no message of sd_notify")
            }
            for input in arrival.notification.inputs {
                if input == .ready {
                    // The launcher of a `sergeant` worker may have said it already.
                    guard !worker.toldReady else { continue }
                    worker.toldReady = true
                }
                events.append(.incarnation(worker.id, input))
            }
            if let text = arrival.notification.status { status = text }
            // Who waits for it goes on already, and may say another that is not to stand in the place of this one.
            if arrival.notification.isBarrier, let said = status.take() { tellStatus(said, of: worker, pid) }
        }
        if let status { tellStatus(status, of: worker, pid) }
    }

    private func tellStatus(_ status: String, of worker: Worker, _ pid: Int32) {
        guard status != worker.status else { return }
        worker.status = status
        tell(.workerStatus(worker.id, pid: pid, status))
    }

    /// A sender that has ended cannot be asked any more, nor any where no descriptor is left; the socket is this worker's
    /// alone, in a directory of our own.
    private func comes(_ sender: Int32, from worker: Worker) -> Bool {
        guard sender > 0 else { return false }
        let place: String
        do throws(CgroupError) { place = try OwnPlace.find(of: sender) } catch {
            return [ENOENT, ESRCH, EMFILE, ENFILE].contains(error.errno)
        }
        let own = names.cgroup(worker.id)
        return place == own || place.hasPrefix(own + "/")
    }

    private func tellOnce(_ worker: Worker, _ sentence: String) {
        guard !worker.toldNotifyFault else { return }
        worker.toldNotifyFault = true
        tell(.hostTrouble(worker.id, sentence: "\(names.worker(worker.id.slot)): \(sentence)"))
    }
}
