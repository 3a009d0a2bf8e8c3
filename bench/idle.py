"""What a supervisor costs while its workers sleep: memory, wake-ups and system calls."""

import contextlib
import time

from bench import host, trace
from bench.running import note, wait_for_age
from bench.supervisors import ALL
from bench.tables import table

# By then nothing is left of the start.
AGE_SECONDS = 11


def observe(all_running, seconds):
    """{name: figures}: wake-ups are counted first, then as long system calls, for strace itself wakes a process."""
    pids = {running: running.supervising() for running in all_running}

    def switches(running):
        return sum(host.voluntary_switches(pid) for pid in pids[running])

    before = {running: switches(running) for running in all_running}
    time.sleep(seconds)
    woken = {running: switches(running) - before[running] for running in all_running}
    memory = {running: [host.memory_kb(pid) for pid in pids[running]] for running in all_running}
    descriptors = {running: sum(host.descriptors(pid) for pid in pids[running]) for running in all_running}

    with contextlib.ExitStack() as tracers:
        traces = {running: running.place.directory / "trace" for running in all_running}
        for running in all_running:
            tracers.enter_context(trace.traced(pids[running], traces[running]))
        begin = time.time()
        time.sleep(seconds)
        end = time.time()
    return {running.name: {
        "workers": running.workers, "seconds": seconds, "processes": len(pids[running]),
        "wake_ups": woken[running], "system_calls": trace.count(traces[running], begin, end),
        "rss_kb": sum(rss for rss, _ in memory[running]),
        "private_dirty_kb": sum(dirty for _, dirty in memory[running]), "descriptors": descriptors[running],
    } for running in all_running}


def measure(bench, sizes, only):
    note(f"idle: {sizes.idle_workers} workers each, twice {sizes.idle_seconds} s")
    with bench.started([(one, sizes.idle_workers) for one in only(ALL)]) as all_running:
        wait_for_age(all_running, AGE_SECONDS)
        return observe(all_running, sizes.idle_seconds)


def section(figures):
    rows = [[name, str(of["wake_ups"]), str(of["system_calls"]), str(of["processes"]), str(of["rss_kb"]),
             str(of["private_dirty_kb"]), f"{of['rss_kb'] / of['processes']:.0f}",
             f"{of['private_dirty_kb'] / of['processes']:.0f}"] for name, of in figures.items()]
    one = next(iter(figures.values()))
    seconds = one["seconds"]
    header = [f"{one['workers']} idle workers", f"wake-ups in {seconds:g} s", f"system calls in {seconds:g} s",
              "processes", "RSS kB", "private dirty kB", "RSS kB a process", "private dirty kB a process"]
    return (f"{table(header, rows)}\n\nWake-ups are voluntary context switches of all threads of all the supervisor's "
            f"processes; system calls are counted by strace in another {seconds:g} s. Memory is from smaps_rollup, "
            "summed over the processes: RSS counts shared pages once for each.")


def goals(figures):
    return []
