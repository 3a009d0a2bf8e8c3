internal import CgroupKit
internal import Supervision

/// The incarnations that the host holds something of, found by their identity or by the token of an event.
struct WorkerTable {
    private var workers: [Worker?] = []
    private var vacancies: [Int] = []
    private var uses: UInt64 = 0
    private var places: [IncarnationID: Int] = [:]

    subscript(id: IncarnationID) -> Worker? {
        places[id].flatMap { workers[$0] }
    }

    /// The worker of a token; nil where its place has been given to another since.
    func worker(_ token: UInt64) -> Worker? {
        let place = Int(token & 0xFFFF_FFFF)
        guard workers.indices.contains(place), let worker = workers[place],
            worker.token == token & 0xFF_FFFF_FFFF_FFFF
        else { return nil }
        return worker
    }

    var all: [Worker] { workers.compactMap { $0 } }

    func first(where matches: (Worker) -> Bool) -> Worker? {
        workers.lazy.compactMap { $0 }.first(where: matches)
    }

    mutating func admit(_ id: IncarnationID, _ directory: String, _ cgroup: consuming Cgroup) -> Worker {
        uses += 1
        let place = vacancies.popLast() ?? workers.count
        let token = (uses & 0xFF_FFFF) << 32 | UInt64(place)
        let worker = Worker(id: id, directory: directory, token: token, cgroup: cgroup)
        if place == workers.count { workers.append(worker) } else { workers[place] = worker }
        places[id] = place
        return worker
    }

    mutating func dismiss(_ worker: Worker) {
        let place = Int(worker.token & 0xFFFF_FFFF)
        workers[place] = nil
        vacancies.append(place)
        places[worker.id] = nil
    }
}
