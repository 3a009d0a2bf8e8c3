// What a cgroup v2 is.
