"""A worker that crosses its soft limit: the touch that crosses to the stop signal."""

import os
import random
import signal
import statistics
import time

from bench import host, programs
from bench.goals import Goal
from bench.running import note
from bench.supervisors import floor_supervisor, sergeant_supervisor, sergeantcg_supervisor
from bench.tables import percentile, ratio, ratios, spread, table

LIMIT = 16 << 20
# Of memory.events, between two notifications.
KERNEL_RATE_LIMIT_MS = 10
# Upstream looks every half second: a trial begins anywhere between two looks.
MOST_WAIT_SECONDS = 0.5


def supervisors():
    mount = host.cgroup_mount()

    def eater(kind, what):
        return lambda place: [str(programs.BUILT / "eater"), kind, str(place.report), str(what)]
    return [floor_supervisor("watcher", memory_high=LIMIT, worker=eater("high", mount)),
            sergeantcg_supervisor(["--max-worker-memory-usage", str(LIMIT)], eater("high", mount)),
            sergeant_supervisor(LIMIT, eater("rss", LIMIT))]


def cross_and_time(running):
    """In ms. Lines are: PID, start; PID, touch, signal (0: the supervisor tells it); 0, signal."""
    pid = max(running.started_at, key=running.started_at.get)
    time.sleep(random.uniform(0, MOST_WAIT_SECONDS))
    os.kill(pid, signal.SIGUSR1)
    touched = signalled = None
    replaced = False
    deadline = time.monotonic() + 60
    while not (touched and signalled and replaced):
        lines = running.next_lines(deadline - time.monotonic()) if time.monotonic() < deadline else []
        if not lines:
            raise running.failure(f"left a worker above its limit alone: touched {touched}, signalled {signalled}")
        for line in lines:
            if len(line) == 3:
                touched, signalled = line[1], line[2] or signalled
            elif line[0] == 0:
                signalled = line[1]
            else:
                running.started_at[line[0]] = line[1]
                replaced = True
    return (signalled - touched) / 1e6


def measure(bench, sizes, only):
    chosen = only(supervisors())
    note(f"soft limit: {sizes.crossings} crossings under each of {', '.join(one.name for one in chosen)}")
    with bench.started([(one, 1) for one in chosen]) as all_running:
        times = {running.name: [] for running in all_running}
        for turn in range(sizes.crossings):
            shift = turn % len(all_running)
            for running in all_running[shift:] + all_running[:shift]:
                times[running.name].append(cross_and_time(running))
    return {name: {"trials": len(of), "p50_ms": statistics.median(of), "p99_ms": percentile(of, 0.99),
                   "min_ms": min(of), "max_ms": max(of)} for name, of in times.items()}


def section(figures):
    bases = ("watcher", "sergeant")
    to_bases = ratios(figures, "p50_ms", bases)
    rows = [[name, str(of["trials"]), f"{of['p50_ms']:.2f}", spread([of["min_ms"], of["max_ms"]], 2),
             f"{of['p99_ms']:.2f}", *to_bases[name]] for name, of in figures.items()]
    header = ["touch that crosses the soft limit to the stop signal", "trials", "p50 ms", "range", "p99 ms",
              *(f"p50 / {base}" for base in bases if base in figures)]
    return (f"{table(header, rows)}\n\nThe limit is {LIMIT:,} bytes. For watcher (bench/floor.c with inotify on memory.events) "
            "and sergeantcg the touch is the one after which `high` has risen, and the signal is SIGTERM, both timed in the "
            "worker; for sergeant the one after which its RSS is above the limit, and the signal its SIGKILL, timed just "
            "before it.")


def goals(figures):
    if not {"sergeantcg", "watcher", "sergeant"} <= figures.keys():
        return []
    ours, watcher, upstream = (figures[name]["p50_ms"] for name in ("sergeantcg", "watcher", "sergeant"))
    most = KERNEL_RATE_LIMIT_MS + 2 * watcher
    return [Goal("soft limit crossed to the stop signal, p50",
                 "under 1/10 of upstream's, and within 10 ms plus twice a C watcher's", f"{ours:.2f} ms",
                 f"{ratio(ours, upstream)} of upstream's {upstream:.0f} ms, {ratio(ours, watcher)} of the watcher's "
                 f"{watcher:.2f} ms", ours < upstream / 10 and ours <= most)]
