"""The life cycle: a killed worker's replacement, an idle supervisor, many workers at once."""

import contextlib
import math
import os
import random
import signal
import statistics
import subprocess
import time

from bench import host
from bench.supervisors import note

# sergeantcg replaces a worker at once only if it lived 10 s; runsv wants one second.
AGE_SECONDS = 11
IDLE_BETWEEN_KILLS = 0.02


def percentile(values, fraction):
    """The nearest-rank percentile."""
    return sorted(values)[math.ceil(fraction * len(values)) - 1]


def wait_for_age(all_running, seconds=AGE_SECONDS):
    youngest = max(max(running.started_at.values()) for running in all_running)
    time.sleep(max(0, seconds - (host.monotonic_ns() - youngest) / 1e9))


def kill_and_time(running, pid):
    """SIGKILL to the first statement of the replacement, in ms, by one clock read in two processes."""
    before = host.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    _, first_statement = running.next_report(30)
    return (first_statement - before) / 1e6


def replacement_round(bench, supervisors, workers):
    """All supervisors up side by side; each of their workers is killed once, the supervisors taking turns."""
    all_running = [bench.start(supervisor, workers) for supervisor in supervisors]
    for running in all_running:
        running.wait_for_workers(workers)
    wait_for_age(all_running)
    victims = {}
    for running in all_running:
        running.read_reports()
        if len(running.started_at) != workers:
            raise running.failure(f"started {len(running.started_at)} workers, not {workers}")
        victims[running] = random.sample(sorted(running.started_at), workers)
    times = {running.supervisor.name: [] for running in all_running}
    for turn in range(workers):
        shift = turn % len(all_running)
        for running in all_running[shift:] + all_running[:shift]:
            time.sleep(IDLE_BETWEEN_KILLS)
            times[running.supervisor.name].append(kill_and_time(running, victims[running][turn]))
    bench.stop_all()
    return times


def replacement(bench, supervisors, rounds, workers):
    per_round = []
    for number in range(rounds):
        note(f"replacement, round {number + 1} of {rounds}: {workers} workers each")
        per_round.append(replacement_round(bench, supervisors, workers))
        note("  p50 ms: " + ", ".join(f"{name} {statistics.median(times):.2f}"
                                      for name, times in per_round[-1].items()))
    results = {}
    for supervisor in supervisors:
        rounds_of_one = [times[supervisor.name] for times in per_round]
        together = [value for times in rounds_of_one for value in times]
        medians = [statistics.median(times) for times in rounds_of_one]
        results[supervisor.name] = {
            "kills": len(together),
            "p50_ms": statistics.median(together), "p99_ms": percentile(together, 0.99), "max_ms": max(together),
            "p50_ms_of_rounds": medians,
        }
    return results


@contextlib.contextmanager
def traced(pids, path):
    """strace of all these processes, attached when the body starts."""
    attach = [argument for pid in pids for argument in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-f", "-ttt", "-o", str(path), *attach],
                          stderr=subprocess.PIPE, text=True) as tracer:
        attached = 0
        while attached < len(pids):
            line = tracer.stderr.readline()
            if not line:
                raise host.Failure("strace could not attach; it must be installed and allowed to trace")
            attached += "attached" in line
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()


def calls_between(path, begin, end):
    """System calls that were entered between two times of the wall clock."""
    count = 0
    for line in open(path, errors="replace"):
        _, moment, what = line.split(None, 2)
        if begin <= float(moment) < end and not what.startswith(("<...", "---", "+++")):
            count += 1
    return count


def idle(bench, supervisors, workers, seconds):
    """Memory, wake-ups and system calls of each supervisor while its workers sleep."""
    note(f"idle: {workers} workers each, twice {seconds} s")
    all_running = [bench.start(supervisor, workers) for supervisor in supervisors]
    for running in all_running:
        running.wait_for_workers(workers)
    wait_for_age(all_running)
    pids = {running: running.supervising() for running in all_running}

    def switches(running):
        return sum(host.voluntary_switches(pid) for pid in pids[running])

    before = {running: switches(running) for running in all_running}
    time.sleep(seconds)
    woken = {running: switches(running) - before[running] for running in all_running}
    memory = {running: [host.memory_kb(pid) for pid in pids[running]] for running in all_running}

    with contextlib.ExitStack() as tracers:
        traces = {running: running.place.directory / "trace" for running in all_running}
        for running in all_running:
            tracers.enter_context(traced(pids[running], traces[running]))
        # To attach interrupts the call that a process sleeps in: not the supervisor's doing, not counted.
        time.sleep(1)
        begin = time.time()
        time.sleep(seconds)
        end = time.time()
    results = {}
    for running in all_running:
        results[running.supervisor.name] = {
            "seconds": seconds, "processes": len(pids[running]),
            "wake_ups": woken[running], "system_calls": calls_between(traces[running], begin, end),
            "rss_kb": sum(rss for rss, _ in memory[running]),
            "private_dirty_kb": sum(dirty for _, dirty in memory[running]),
        }
    bench.stop_all()
    return results


def many(bench, supervisors, rounds, workers):
    """Seconds from the start of a supervisor to the first statement of the last of its workers."""
    times = {supervisor.name: [] for supervisor in supervisors}
    memory = {}
    for number in range(rounds):
        note(f"{workers} workers at once, round {number + 1} of {rounds}")
        for supervisor in supervisors:
            running = bench.start(supervisor, workers)
            running.wait_for_workers(workers)
            times[supervisor.name].append((max(running.started_at.values()) - running.start_ns) / 1e9)
            memory[supervisor.name] = [host.memory_kb(pid) for pid in running.supervising()]
            bench.stop_all()
        note("  s: " + ", ".join(f"{name} {values[-1]:.2f}" for name, values in times.items()))
    return {name: {
        "workers": workers, "median_s": statistics.median(values), "rounds_s": values,
        "rss_kb": sum(rss for rss, _ in memory[name]),
        "private_dirty_kb": sum(dirty for _, dirty in memory[name]),
    } for name, values in times.items()}
