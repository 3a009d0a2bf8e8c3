"""A hundred thousand respawns: what the supervisor holds after the first of them, and after the last."""

import fcntl
import os
import time

from bench import host
from bench.goals import Goal
from bench.running import note
from bench.supervisors import CGROUP, sergeantcg_supervisor
from bench.tables import table

# Above one second: workers that finish sooner are paced.
LIFE_MILLISECONDS = 1050
SETTLED_SECONDS = 2


def measure(bench, sizes, only):
    workers = sizes.respawning_workers
    gate_path = bench.directory / "gate"
    gate_path.touch()
    supervisor = sergeantcg_supervisor(
        ["--log-level", "warning"],
        lambda place: [place.worker, str(place.report), str(LIFE_MILLISECONDS), str(gate_path)])
    found = []
    with open(gate_path) as gate, bench.started([(supervisor, workers)]) as (running,):
        begin = time.monotonic()
        # They all end in the moment the gate opens. What it takes to hold so many ends at once is kept from then on, so it
        # is to have been there before the first look.
        wait_for_respawns(running, workers)
        held = hold(gate, running, lambda: None)
        for count in checkpoints(sizes.respawns):
            wait_for_respawns(running, count)
            held += hold(gate, running, lambda: found.append(look(bench, running)))
            note(f"  {found[-1]}")
        seconds = time.monotonic() - begin - held
    return {"workers": workers, "seconds": seconds, "rate": found[-1]["respawns"] / seconds, "at": found}


def hold(gate, running, act):
    """Does something while no worker is on its way. Returns for how many seconds they were held up."""
    closed = time.monotonic()
    fcntl.flock(gate, fcntl.LOCK_EX)
    settle(running)
    act()
    fcntl.flock(gate, fcntl.LOCK_UN)
    return time.monotonic() - closed


def checkpoints(last):
    return sorted({max(1, last // 100), max(1, last // 10), last // 3, last})


def wait_for_respawns(running, count):
    note(f"respawns: to {count}")
    while running.reported < count + running.workers:
        if running.process.poll() is not None:
            raise running.failure(f"ended with status {running.process.returncode}")
        time.sleep(0.05)
        running.read_reports()


def settle(running):
    """Every worker has come to the gate, and no dead one is left: nothing has begun for a while."""
    seen = -1
    while (now := running.reported) != seen:
        seen = now
        time.sleep(SETTLED_SECONDS)
        running.read_reports()


def look(bench, running):
    pid = running.process.pid
    rss, private = host.memory_kb(pid)
    names = [one.name for one in host.cgroups_below(bench.cgroup / CGROUP)]
    incarnations = [int(name.split(".")[1]) for name in names if name.replace(".", "").isdigit() and "." in name]
    children = host.descendants(os.getpid())
    return {
        # The kernel's word for it: cgroups are named SLOT.INCARNATION.
        "respawns": sum(incarnations) - len(incarnations),
        "descriptors": host.descriptors(pid), "cgroups": len(names), "processes": len(children) - 1,
        "private_dirty_kb": private, "rss_kb": rss,
    }


def section(of):
    rows = [[f"{at['respawns']:,}", str(at["descriptors"]), str(at["cgroups"]), str(at["processes"]),
             str(at["private_dirty_kb"]), str(at["rss_kb"])] for at in of["at"]]
    return (f"{table(['respawns', 'descriptors', 'cgroups', 'processes', 'private dirty kB', 'RSS kB'], rows, left=0)}\n\n"
            f"{of['workers']} workers that end with status 0 after {LIFE_MILLISECONDS} ms, {of['rate']:.0f} respawns a "
            "second. For each line all of them are held up for a moment, so that none is on its way.")


def goals(of):
    first, last = of["at"][0], of["at"][-1]
    same = all(first[key] == last[key] for key in ("descriptors", "cgroups", "processes"))
    growth = last["private_dirty_kb"] - first["private_dirty_kb"]
    return [Goal(f"{last['respawns']:,} respawns", "descriptors, cgroups, memory flat",
                 f"descriptors {first['descriptors']} → {last['descriptors']}, cgroups {first['cgroups']} → "
                 f"{last['cgroups']}, private dirty {first['private_dirty_kb']} → {last['private_dirty_kb']} kB since "
                 f"the first {first['respawns']:,}", holds=same and growth <= 0.05 * first["private_dirty_kb"])]
