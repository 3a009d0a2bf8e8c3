internal import CgroupKit
internal import Glibc
internal import Supervision

/// What the host holds of one incarnation: its cgroup, its process, and who tells of it.
final class Worker {
    let id: IncarnationID
    /// Its directory's name within its group's.
    let directory: String
    /// Where the host keeps it, and how often the place was used before: an event of an earlier one is told
    /// from ours.
    let token: UInt64
    let cgroup: Cgroup
    var process: PlacedProcess?
    /// An earlier supervisor is its parent, so nobody tells us how it ended.
    var isAdopted = false
    /// The start's answer is outstanding: the program was not seen to run yet.
    var awaitsProgram = false
    /// How it ended, until all that it took is known; nil where nobody keeps account.
    var account: Account?
    /// Why its program could not be run; told when the process has ended.
    var startFailure: StartFailure?
    var reports: ReportChannel?
    var toldReady = false
    /// Where its processes say how it stands; nil where its group does not ask for that.
    var socket: WorkerSocket?
    /// What it said last of itself.
    var status: String?
    var toldNotifyFault = false
    var memoryWatch: Int32?
    /// Tells that it stands still for want of memory; nil where nobody asks, or it was told.
    var pressure: PressureTrigger?
    var emptinessWatch: Int32?
    var processesWatch: Int32?
    /// What `pids.events` said when it came to us.
    var refusals: UInt64 = 0
    var toldRefusals = false
    /// It is to be told when the cgroup is empty, and there is no watch that would tell.
    var asksForEmptiness = false

    init(id: IncarnationID, directory: String, token: UInt64, cgroup: consuming Cgroup) {
        self.id = id
        self.directory = directory
        self.token = token
        self.cgroup = cgroup
    }
}
