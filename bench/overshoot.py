"""How far a worker gets past its hard limit, whatever kind of memory it takes."""

import json
import time

from bench import programs
from bench.goals import Goal
from bench.running import note
from bench.supervisors import sergeantcg_supervisor
from bench.tables import table

LIMIT = 12 << 20
# Three times its limit is what each worker is after.
WANTED = 3 * LIMIT
AT_ONCE = 4
PATIENCE_SECONDS = 300


def kinds(disk):
    """{kind: (what the worker does, in which directory, why it ends)}. Page cache can be taken back: nobody dies of it."""
    return {
        "anonymous": ("anonymous", "/", "oom_killed"),
        "shared (memfd)": ("shared", "/", "oom_killed"),
        "file on tmpfs": ("file", "/dev/shm", "oom_killed"),
        "file in the page cache": ("file", str(disk), "finished"),
        "eight threads": ("threads", "/", "oom_killed"),
    }


def one_kind(bench, doing, directory, reason, trials):
    """The `memory_peak` of so many workers that came to their end, and the ends that were others than foreseen."""
    # Each tries again at once: how long a slot is empty is another measure's.
    options = ["--memory-max", str(LIMIT), "--backoff-initial", "10ms", "--backoff-max", "10ms", "--log-format", "json"]
    running = bench.start(sergeantcg_supervisor(options, lambda place: [
        str(programs.BUILT / "eater"), doing, str(WANTED), directory]), AT_ONCE)
    peaks, others = [], []
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        with open(running.log, encoding="utf-8", errors="replace") as log:
            rest = ""
            while len(peaks) < trials:
                if running.process.poll() is not None or time.monotonic() > deadline:
                    raise running.failure(f"had {len(peaks)} of {trials} workers come to their end")
                time.sleep(0.05)
                *lines, rest = (rest + log.read()).split("\n")
                for line in lines:
                    if '"worker_exited"' not in line:
                        continue
                    end = json.loads(line)
                    if end["reason"] == reason and "memory_peak" in end:
                        peaks.append(end["memory_peak"])
                    else:
                        others.append(end["reason"])
    finally:
        bench.stop_all()
    return peaks[:trials], others


def measure(bench, sizes, only):
    figures = {}
    for kind, (doing, directory, reason) in kinds(bench.disk).items():
        note(f"overshoot: {sizes.overshoots} workers past their hard limit, {kind}")
        peaks, others = one_kind(bench, doing, directory, reason, sizes.overshoots)
        figures[kind] = {"trials": len(peaks), "limit": LIMIT, "without": sum(peak <= LIMIT for peak in peaks),
                         "most_bytes_over": max(max(peaks) - LIMIT, 0), "least_peak": min(peaks), "ends": reason,
                         "other_ends": len(others)}
        note(f"  {figures[kind]}")
    return figures


def section(figures):
    rows = [[kind, f"{of['without']} of {of['trials']}", str(of["most_bytes_over"]), f"{of['least_peak']:,}",
             of["ends"], str(of["other_ends"])] for kind, of in figures.items()]
    header = ["past memory.max", "0 bytes over", "most bytes over", "smallest memory.peak", "end", "other ends"]
    return (f"{table(header, rows)}\n\nmemory.max is {LIMIT:,}, each worker is after {WANTED:,} bytes. memory.peak is read "
            "when the worker has died. Received sockets' buffers are charged by force and not promised.")


def goals(figures):
    # One that never came near its limit shows nothing.
    holds = all(of["without"] == of["trials"] and not of["other_ends"] and of["least_peak"] > 0.9 * of["limit"]
                for of in figures.values())
    text = ", ".join(f"{kind} {of['without']} of {of['trials']}" for kind, of in figures.items())
    trials = min(of["trials"] for of in figures.values())
    return [Goal("overshoot past the hard limit (anonymous, shared, file, threads)", f"0 bytes, {trials} of {trials}", text,
                 holds=holds)]
