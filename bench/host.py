"""What the kernel says of this machine, its processes and its cgroups."""

import contextlib
import ctypes
import os
import pathlib
import platform
import resource
import signal
import time

PROC = pathlib.Path("/proc")


class Failure(Exception):
    """Ends the benchmark; one sentence a person can act on."""


def monotonic_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": "User-mode Linux" if model == "UML" else model,
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "load_average": round(os.getloadavg()[0], 2),
    }


def adopt_orphans():
    """Makes this process the subreaper (prctl(2)), so that no supervisor can leave a process we do not find."""
    PR_SET_CHILD_SUBREAPER = 36
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise Failure(f"prctl PR_SET_CHILD_SUBREAPER: {os.strerror(ctypes.get_errno())}")


def descendants(ancestor):
    """PIDs of every process below `ancestor`, zombies included."""
    children = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill_descendants():
    """Kills and reaps everything this process started, directly or not."""
    while found := descendants(os.getpid()):
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.005)


def voluntary_switches(pid):
    """Voluntary context switches of all threads of `pid`: how often it went to sleep, so how often it woke."""
    total = 0
    for status in PROC.glob(f"{pid}/task/*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def memory_kb(pid):
    """(RSS, private dirty) of `pid` in kB, from smaps_rollup."""
    fields = {}
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        fields[name] = int(value.split()[0])
    return fields["Rss"], fields["Private_Dirty"]


def descriptors(pid):
    """How many `pid` has open."""
    return len(list((PROC / str(pid) / "fd").iterdir()))


@contextlib.contextmanager
def open_files_allowed(count):
    """Raises the hard limit of setrlimit(2), as a unit's LimitNOFILE= does, for what is started in the body.

    The body gets the limit that is then in force: to raise it takes CAP_SYS_RESOURCE.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, count)))
    except (ValueError, OSError):
        yield hard
        return
    try:
        yield max(hard, count)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cgroup_mount():
    """Where the cgroup2 hierarchy is mounted."""
    for line in open("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return pathlib.Path(before.split()[4])
    raise Failure("no cgroup2 file system is mounted: mount -t cgroup2 none DIRECTORY")


def own_cgroup():
    """The directory of our own cgroup in the cgroup2 hierarchy."""
    place = next((line[3:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::")), "/")
    return cgroup_mount() / place.lstrip("/")


def is_hierarchy_root(cgroup):
    return not (cgroup / "cgroup.events").exists()


def make_cgroup(path):
    """An empty cgroup at `path`; what an earlier run left there is removed."""
    try:
        remove_cgroup(path)
        path.mkdir()
    except OSError as error:
        raise Failure(f"cannot make the cgroup {path}: {error.strerror}; run the benchmark as root in the root of "
                      "a cgroup2 hierarchy, or in a delegated cgroup (scripts/in-cgroup2)") from error


def delegate(path):
    """Marks the cgroup at `path` as systemd does for Delegate=yes: below a unit, that is what is looked for."""
    os.setxattr(path, "trusted.delegate" if os.geteuid() == 0 else "user.delegate", b"1")


def enable(path, controllers):
    """Enables for the children of the cgroup at `path` those of `controllers` that it has, and returns them."""
    there = (path / "cgroup.controllers").read_text().split()
    enabled = [controller for controller in controllers if controller in there]
    for controller in enabled:
        (path / "cgroup.subtree_control").write_text(f"+{controller}")
    return enabled


def require_memory_controller(path):
    if "memory" not in (path / "cgroup.controllers").read_text().split():
        raise Failure(f"{path}/cgroup.controllers has no memory controller: run it through scripts/in-cgroup2")


def cgroups_below(path):
    """The cgroups below that at `path`, deeper ones too."""
    return [pathlib.Path(place) / name for place, names, _ in os.walk(path) for name in names]


def remove_cgroup(path):
    """Kills what is in the cgroup at `path` and below, and removes it; nothing where there is none."""
    if not path.exists():
        return
    (path / "cgroup.kill").write_text("1")
    deadline = monotonic_ns() + 10_000_000_000
    while "populated 1" in (path / "cgroup.events").read_text():
        if monotonic_ns() > deadline:
            raise Failure(f"{path} is still populated 10 s after cgroup.kill")
        time.sleep(0.005)
    for directory, _, _ in os.walk(path, topdown=False):
        os.rmdir(directory)
