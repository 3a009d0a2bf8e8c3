"""The system calls of a respawn: the supervisor's, and its child's until exec."""

import os
import random
import signal
import time

from bench import trace
from bench.goals import Goal
from bench.replacement import AGE_SECONDS, IDLE_BETWEEN_KILLS
from bench.running import note, wait_for_age
from bench.supervisors import FLOOR, SERGEANTCG
from bench.tables import ratio, table

SETTLED_SECONDS = 2


def measure(bench, sizes, only):
    return under(bench, only([FLOOR, SERGEANTCG]), sizes.traced_kills)


def under(bench, supervisors, kills):
    note(f"system calls of {kills} respawns")
    with bench.started([(one, kills) for one in supervisors]) as all_running:
        wait_for_age(all_running, AGE_SECONDS)
        return {running.name: respawns(running) for running in all_running}


def respawns(running):
    supervisors, path = running.supervising(), running.place.directory / "trace"
    victims = random.sample(sorted(running.started_at), running.workers)
    with trace.traced(supervisors, path):
        begin = time.time()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
            running.next_report(30)
            time.sleep(IDLE_BETWEEN_KILLS)
        time.sleep(SETTLED_SECONDS)
        end = time.time()
    own, children = trace.by_name_until_exec(path, begin, end, set(supervisors))
    count = len(victims)
    return {"respawns": count, "calls": (own.total() + children.total()) / count,
            "own": {name: value / count for name, value in own.most_common()},
            "child": {name: value / count for name, value in children.most_common()}}


def section(figures, what="a respawn's system calls"):
    columns = [(name, part) for name in figures for part in ("own", "child")]
    names = sorted({call for name, part in columns for call in figures[name][part]},
                   key=lambda call: -sum(figures[name][part].get(call, 0) for name, part in columns))

    def cell(value):
        return f"{value:.2f}".rstrip("0").rstrip(".") if value else ""

    rows = [[call, *(cell(figures[name][part].get(call, 0)) for name, part in columns)] for call in names]
    rows.append(["all", *(f"{sum(figures[name][part].values()):.2f}" for name, part in columns)])
    count = next(iter(figures.values()))["respawns"]
    header = [what] + [name if part == "own" else f"{name}'s child, to exec" for name, part in columns]
    return f"{table(header, rows)}\n\nThe mean of {count} respawns, counted by strace, workers killed one by one."


def goals(figures, what="system calls per respawn"):
    if not {"sergeantcg", "floor"} <= figures.keys():
        return []
    ours, floor = figures["sergeantcg"]["calls"], figures["floor"]["calls"]
    return [Goal(what, "at most 1.5 of the floor's", f"{ours:.1f}, the floor {floor:.1f}",
                 ratio(ours, floor), ours <= 1.5 * floor)]
