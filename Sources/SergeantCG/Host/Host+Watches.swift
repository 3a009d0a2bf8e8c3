internal import CLinux
internal import CgroupKit
internal import Glibc
internal import Supervision

/// Who is told of which file of which worker's cgroup.
extension Host {
    func watchMemory(_ worker: Worker) throws(CgroupError) {
        let watch = try watcher.watch(worker.cgroup, "memory.events")
        worker.memoryWatch = watch
        watches[watch] = .memory(worker.id)
    }

    /// Once is enough: it goes then, and would tell again in every window.
    func takePressure(_ worker: Worker) {
        worker.pressure = nil
        events.append(.incarnation(worker.id, .pressed))
    }

    func observeMemoryEvents(_ id: IncarnationID, _ observed: Bool) {
        guard let worker = workers[id] else { return }
        if !observed {
            if let watch = worker.memoryWatch { unwatch(watch) }
            worker.memoryWatch = nil
        } else if worker.memoryWatch == nil {
            do { try watchMemory(worker) } catch { trouble(id, error) }
        }
    }

    func watchForEmptiness(_ id: IncarnationID) {
        guard let worker = workers[id], worker.emptinessWatch == nil else { return }
        do {
            let watch = try watcher.watch(worker.cgroup, "cgroup.events")
            worker.emptinessWatch = watch
            watches[watch] = .emptiness(id)
        } catch {
            worker.asksForEmptiness = true
            trouble(id, error)
        }
        // It may have become empty before it was watched.
        readEmptiness(id)
    }

    func unwatchEmptiness(_ worker: Worker) {
        guard let watch = worker.emptinessWatch else { return }
        worker.emptinessWatch = nil
        unwatch(watch)
    }

    func unwatch(_ watch: Int32) {
        watches[watch] = nil
        watcher.unwatch(watch)
    }
}
