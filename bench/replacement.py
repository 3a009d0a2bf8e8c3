"""How long a slot is empty: SIGKILL of a worker to the first statement of its replacement."""

import os
import random
import signal
import statistics
import time

from bench import host
from bench.goals import Goal
from bench.running import note, wait_for_age
from bench.supervisors import ALL
from bench.tables import percentile, ratio, ratios, spread, table

# sergeantcg replaces a worker at once only if it lived 10 s; runsv and s6 want one second.
AGE_SECONDS = 11
IDLE_BETWEEN_KILLS = 0.02


def kill_and_time(running, pid):
    """In ms, by one clock read in two processes."""
    before = host.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    _, first_statement = running.next_report(30)
    return (first_statement - before) / 1e6


def one_round(bench, chosen):
    """All of [(supervisor, workers)] side by side; each of their workers is killed once, the supervisors taking turns."""
    with bench.started(chosen) as all_running:
        wait_for_age(all_running, AGE_SECONDS)
        victims = {}
        for running in all_running:
            running.expect_no_others()
            victims[running] = random.sample(sorted(running.started_at), running.workers)
        times = {running.name: [] for running in all_running}
        turns = max(running.workers for running in all_running)
        for turn in range(turns):
            shift = turn % len(all_running)
            for running in all_running[shift:] + all_running[:shift]:
                # Those with fewer workers have their turns spread over the round.
                if (turn * running.workers) % turns >= running.workers:
                    continue
                time.sleep(IDLE_BETWEEN_KILLS)
                times[running.name].append(kill_and_time(running, victims[running].pop()))
    return times


def rounds(bench, chosen, count):
    per_round = []
    for number in range(count):
        note(f"replacement, round {number + 1} of {count}")
        per_round.append(one_round(bench, chosen))
        note("  p50 ms: " + ", ".join(f"{name} {statistics.median(times):.2f}"
                                      for name, times in per_round[-1].items()))
    return {supervisor.name: summary([times[supervisor.name] for times in per_round]) for supervisor, _ in chosen}


def summary(of_rounds):
    together = [value for times in of_rounds for value in times]
    return {"trials": len(together), "p50_ms": statistics.median(together), "p99_ms": percentile(together, 0.99),
            "max_ms": max(together), "p50_ms_of_rounds": [statistics.median(times) for times in of_rounds]}


def measure(bench, sizes, only):
    chosen = [(one, sizes.slow_workers if one.slow else sizes.workers) for one in only(ALL)]
    return rounds(bench, chosen, sizes.rounds)


def rows(figures, bases):
    to_bases = ratios(figures, "p50_ms", bases)
    return [[name, str(of["trials"]), f"{of['p50_ms']:.2f}", spread(of["p50_ms_of_rounds"], 2), f"{of['p99_ms']:.2f}",
             f"{of['max_ms']:.2f}", *to_bases[name]] for name, of in figures.items()]


def header(what, bases, figures):
    return [what, "trials", "p50 ms", "p50 of the rounds", "p99 ms", "max ms",
            *(f"p50 / {base}" for base in bases if base in figures)]


def section(figures):
    bases = ("floor", "runsv")
    head = header("SIGKILL to the replacement's first statement", bases, figures)
    return (f"{table(head, rows(figures, bases))}\n\nAll supervisors of a round are up side by side (one that polls, "
            "as sergeant and circus, disturbs the others) and take turns kill by kill, the slow ones more seldom; workers are "
            "at least 11 s old, and 20 ms pass between kills. Only floor and sergeantcg make a cgroup for each worker. Of few "
            "trials the p99 is the longest.")


def goals(figures):
    if "sergeantcg" not in figures:
        return []
    ours, found = figures["sergeantcg"], []
    to_floor = ours["p50_ms"] / figures["floor"]["p50_ms"] if "floor" in figures else None
    if "runsv" in figures and to_floor:
        to_runsv = ours["p50_ms"] / figures["runsv"]["p50_ms"]
        found.append(Goal("worker SIGKILLed to its replacement's first instruction, p50",
                          "under runsv's, and at most 1.25 of the floor", f"{ours['p50_ms']:.2f} ms",
                          f"{to_runsv:.2f} of runsv, {to_floor:.2f} of the floor", to_runsv < 1 and to_floor <= 1.25))
    found.append(Goal("the same, p99", "under 3 times its own p50", f"{ours['p99_ms']:.2f} ms",
                      f"{ratio(ours['p99_ms'], ours['p50_ms'])} of its p50", ours["p99_ms"] < 3 * ours["p50_ms"]))
    return found
