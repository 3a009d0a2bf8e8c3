"""A worker that breaks its hard limit: its last touch of memory to the first statement of its replacement."""

import mmap
import os
import random
import signal
import statistics
import struct
import time

from bench import programs, replacement
from bench.goals import Goal
from bench.running import note, wait_for_age
from bench.supervisors import floor_supervisor, sergeantcg_supervisor, systemd_supervisor
from bench.tables import ratio, table

LIMIT = 8 << 20
BASES = ("floor", "systemd")


class Board:
    """A page of shared memory, charged to us, in whose first eight bytes a worker notes the time."""

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def take(self):
        value, = struct.unpack_from("q", self.memory)
        struct.pack_into("q", self.memory, 0, 0)
        return value


def supervisors(board):
    def worker(place):
        return [str(programs.BUILT / "eater"), "kill", str(place.report), str(board.path)]
    return [floor_supervisor(memory_max=LIMIT, worker=worker),
            sergeantcg_supervisor(["--memory-max", str(LIMIT)], worker),
            systemd_supervisor([f"MemoryMax={LIMIT}", "MemorySwapMax=0"], worker)]


def break_and_time(running, board, pid):
    """In ms; the word to begin, and what is eaten before the last page, are not in it."""
    os.kill(pid, signal.SIGUSR1)
    _, first_statement = running.next_report(60)
    last_touch = board.take()
    if not 0 < last_touch < first_statement:
        raise running.failure("replaced a worker that had touched nothing")
    return (first_statement - last_touch) / 1e6


def one_round(bench, chosen, board, workers):
    with bench.started([(one, workers) for one in chosen]) as all_running:
        wait_for_age(all_running, replacement.AGE_SECONDS)
        times = {running.name: [] for running in all_running}
        victims = {}
        for running in all_running:
            running.expect_no_others()
            victims[running] = random.sample(sorted(running.started_at), workers)
        for turn in range(workers):
            shift = turn % len(all_running)
            for running in all_running[shift:] + all_running[:shift]:
                time.sleep(replacement.IDLE_BETWEEN_KILLS)
                times[running.name].append(break_and_time(running, board, victims[running].pop()))
    return times


def measure(bench, sizes, only):
    board = Board(bench.directory / "board")
    chosen, per_round = only(supervisors(board)), []
    for number in range(sizes.oom_rounds):
        note(f"OOM kill, round {number + 1} of {sizes.oom_rounds}")
        per_round.append(one_round(bench, chosen, board, sizes.oom_workers))
        note("  p50 ms: " + ", ".join(f"{name} {statistics.median(times):.2f}"
                                      for name, times in per_round[-1].items()))
    return {one.name: replacement.summary([times[one.name] for times in per_round]) for one in chosen}


def section(figures):
    head = replacement.header("last touch before an OOM kill to the replacement's first statement", BASES, figures)
    return (f"{table(head, replacement.rows(figures, BASES))}\n\nA worker touches memory page by page, noting the time "
            f"before each, until the kernel kills it at memory.max of {LIMIT:,} bytes, without swap.")


def goals(figures):
    if "sergeantcg" not in figures:
        return []
    ours = figures["sergeantcg"]["p50_ms"]
    to_bases = ", ".join(f"{ratio(ours, figures[base]['p50_ms'])} of {base}'s" for base in BASES if base in figures)
    return [Goal("last touch before an OOM kill to the replacement's first instruction, p50",
                 "measured against systemd's `Restart=always RestartSec=0` and the floor", f"{ours:.1f} ms", to_bases)]
