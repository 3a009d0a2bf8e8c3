internal import CgroupKit
internal import SergeantCG

/// Reads how long workers stand still for want of memory, where their cgroups can be seen from here.
struct PressureGauge {
    private let mount = try? Mount.find()

    /// In per cent of the last ten seconds.
    func stalls(of workers: [StatusReport.Worker]) -> [String: Double] {
        var stalls: [String: Double] = [:]
        for worker in workers {
            guard let place = worker.cgroup, let directory = mount?.directory(of: place),
                let cgroup = try? Cgroup.open(directory)
            else { continue }
            stalls[worker.worker] = try? cgroup.pressure(.memory).some.average10
        }
        return stalls
    }
}
