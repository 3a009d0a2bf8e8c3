extension Cgroup {
    /// The controllers that may be enabled here (`cgroup.controllers`).
    public borrowing func controllers() throws(CgroupError) -> Controllers {
        try read("cgroup.controllers") { Controllers.parse($0) }
    }

    /// The controllers that cgroups beneath this one have (`cgroup.subtree_control`).
    public borrowing func subtreeControl() throws(CgroupError) -> Controllers {
        try read("cgroup.subtree_control") { Controllers.parse($0) }
    }

    /// Gives controllers to the cgroups beneath this one, all or none of them.
    ///
    /// Throws `EBUSY` while a process is in this cgroup (for memory, io and hugetlb; not in the root), `ENOENT` for a
    /// controller that is not among `controllers()`, `EACCES` where it is not delegated.
    public borrowing func enable(_ controllers: Controllers) throws(CgroupError) {
        guard !controllers.isEmpty else { return }
        try write(controllers.command("+"), to: "cgroup.subtree_control")
    }

    /// Takes controllers from the cgroups beneath this one. Throws `EBUSY` while one of those gives it on.
    public borrowing func disable(_ controllers: Controllers) throws(CgroupError) {
        guard !controllers.isEmpty else { return }
        try write(controllers.command("-"), to: "cgroup.subtree_control")
    }
}
