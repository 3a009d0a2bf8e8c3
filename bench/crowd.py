"""Ten thousand workers under one supervisor: that it works, and how it ends."""

import json
import os
import signal
import time

from bench import host
from bench.goals import Goal
from bench.running import note
from bench.supervisors import CGROUP, sergeantcg_supervisor
from bench.tables import table

STOP_SECONDS = 120
DESCRIPTORS_EACH = 2
OWN_DESCRIPTORS = 50


def measure(bench, sizes, only):
    with host.open_files_allowed(DESCRIPTORS_EACH * sizes.crowd + OWN_DESCRIPTORS) as allowed:
        return run(bench, sizes.crowd, min(sizes.crowd, (allowed - OWN_DESCRIPTORS) // DESCRIPTORS_EACH), allowed)


def run(bench, wanted, count, allowed):
    note(f"{count} workers under sergeantcg")
    supervisor = sergeantcg_supervisor(["--log-format", "json"])
    with bench.started([(supervisor, count)]) as (running,):
        seconds = (max(running.started_at.values()) - running.start_ns) / 1e9
        ready = wait_for_event(running, "supervisor_ready", 60)
        pid = running.process.pid
        rss, private = host.memory_kb(pid)
        descriptors = host.descriptors(pid)
        begin = host.monotonic_ns()
        running.process.send_signal(signal.SIGTERM)
        status = running.process.wait(STOP_SECONDS)
        stop_seconds = (host.monotonic_ns() - begin) / 1e9
        # They would be ours now: we adopt orphans.
        left = host.descendants(os.getpid())
        cgroups = host.cgroups_below(bench.cgroup / CGROUP)
    return {"wanted": wanted, "descriptors_allowed": allowed, "workers": count, "seconds": seconds, "ready": ready,
            "descriptors": descriptors, "rss_kb": rss, "private_dirty_kb": private, "stop_seconds": stop_seconds,
            "stop_status": status, "processes_left": len(left), "cgroups_left": len(cgroups)}


def wait_for_event(running, event, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for line in running.log.read_text(errors="replace").splitlines():
            if f'"event":"{event}"' in line and json.loads(line)["event"] == event:
                return True
        time.sleep(0.1)
    return False


def section(of):
    rows = [[f"{of['workers']:,}", f"{of['seconds']:.2f}", "yes" if of["ready"] else "no", str(of["descriptors"]),
             str(of["rss_kb"]), str(of["private_dirty_kb"]), f"{of['stop_seconds']:.2f}", str(of["stop_status"]),
             f"{of['processes_left']} / {of['cgroups_left']}"]]
    header = ["workers of one sergeantcg", "s until all ran", "ready", "descriptors", "RSS kB", "private dirty kB",
              "s to stop on SIGTERM", "its exit status", "processes / cgroups left"]
    fewer = (f"\n\nNot {of['wanted']:,}: this machine allows a process {of['descriptors_allowed']:,} descriptors, and root "
             "none more." if of["workers"] < of["wanted"] else "")
    return table(header, rows) + fewer


def goals(of):
    works = of["ready"] and of["stop_status"] == 0 and of["processes_left"] == of["cgroups_left"] == 0
    return [Goal(f"{of['wanted']:,} workers", "work too", f"{of['workers']:,} up in {of['seconds']:.1f} s, stopped in "
                 f"{of['stop_seconds']:.1f} s with status {of['stop_status']}", holds=works)]
