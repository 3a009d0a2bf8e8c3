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


def measure(bench, sizes, only):
    count = sizes.crowd
    note(f"{count} workers under sergeantcg")
    supervisor = sergeantcg_supervisor(["--log-format", "json"])
    with host.open_files_allowed(6 * count + 1000), bench.started([(supervisor, count)]) as (running,):
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
    return {"workers": count, "seconds": seconds, "ready": ready, "descriptors": descriptors, "rss_kb": rss,
            "private_dirty_kb": private, "stop_seconds": stop_seconds, "stop_status": status, "processes_left": len(left),
            "cgroups_left": len(cgroups)}


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
    return table(["workers of one sergeantcg", "s until all ran", "ready", "descriptors", "RSS kB", "private dirty kB",
                  "s to stop on SIGTERM", "its exit status", "processes / cgroups left"], rows)


def goals(of):
    works = of["ready"] and of["stop_status"] == 0 and of["processes_left"] == of["cgroups_left"] == 0
    return [Goal(f"{of['workers']:,} workers", "work too", f"all up in {of['seconds']:.1f} s, stopped in "
                 f"{of['stop_seconds']:.1f} s with status {of['stop_status']}", holds=works)]
