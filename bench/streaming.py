"""What a memory limit costs a worker that streams files: throughput with and without, and the alarms it raised."""

import datetime
import json
import shutil
import statistics
import time

from bench import host, programs
from bench.running import note
from bench.supervisors import sergeantcg_supervisor
from bench.tables import spread, table


def streaming_supervisor(limit, total, leak, directory):
    limited = ["--max-worker-memory-usage", str(limit)] if limit else []
    return sergeantcg_supervisor(
        [*limited, "--log-format", "json", "--log-level", "debug"],
        lambda place: [str(programs.BUILT / "streamer"), str(place.report), str(directory), str(total), str(leak)],
        "limited" if limit else "unlimited")


def occurrences(log):
    """The lines of the JSON log; anything else that is printed there is passed over."""
    found = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            pass
    return [one for one in found if isinstance(one, dict)]


def wall_ns(text):
    """Of a time in the log, nanoseconds since 1970."""
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e9)


def high_events(started):
    """The `high` counter of the incarnation that runs last; None where its cgroup cannot be read."""
    cgroup = started[-1].get("cgroup", "") if started else ""
    events = host.cgroup_mount() / cgroup.lstrip("/") / "memory.events"
    if not cgroup or not events.exists():
        return None
    return int(dict(line.split() for line in events.read_text().splitlines())["high"])


def one_run(bench, directory, seconds, limit, total, leak):
    files = directory / "streamed"
    files.mkdir()
    running = bench.start(streaming_supervisor(limit, total, leak, files), 1)
    try:
        return observe(running, seconds)
    finally:
        bench.stop_all()
        shutil.rmtree(files)


def observe(running, seconds):
    samples = []
    deadline = None
    while deadline is None or host.monotonic_ns() < deadline:
        time.sleep(0.1)
        if running.process.poll() is not None:
            raise running.failure(f"ended with status {running.process.returncode}")
        if deadline is None and host.monotonic_ns() - running.start_ns > 60e9:
            raise running.failure("had no worker after 60 s")
        samples += running.read_lines()
        if samples and deadline is None:
            deadline = samples[0][1] + int(seconds * 1e9)
    first = samples[0][1]
    half = first + int(seconds * 1e9 / 2)
    log = occurrences(running.log)
    warm_wall = time.time_ns() - (host.monotonic_ns() - half)
    started = [one for one in log if one.get("event") == "worker_started"]

    def rate(since):
        counted = [(at, count) for _, at, count in samples if since < at <= deadline]
        return sum(count for _, count in counted) / ((counted[-1][0] - since) / 1e9) / 1e6 if counted else 0.0

    return {"whole": rate(first), "warm": rate(half), "incarnations": len(started),
            "alarms": sum(one.get("event") == "worker_memory_alarm" for one in log),
            "warm_alarms": sum(one.get("event") == "worker_memory_alarm" and wall_ns(one["time"]) > warm_wall
                               for one in log),
            "high": high_events(started)}


def measure(bench, directory, runs, seconds, limit, total, leak):
    found = {"none": [], str(limit): []}
    for number in range(runs):
        for name, bytes_limit in (("none", 0), (str(limit), limit)):
            note(f"streaming, run {number + 1} of {runs}, limit {name}")
            one = one_run(bench, directory, seconds, bytes_limit, total, leak)
            note(f"  {one}")
            found[name].append(one)
    return {name: {
        "whole_mb_s": statistics.median(one["whole"] for one in of), "whole_of_runs": [one["whole"] for one in of],
        "warm_mb_s": statistics.median(one["warm"] for one in of), "warm_of_runs": [one["warm"] for one in of],
        "alarms": [one["alarms"] for one in of], "warm_alarms": [one["warm_alarms"] for one in of],
        "high_events": [one["high"] for one in of],
        "incarnations": [one["incarnations"] for one in of],
    } for name, of in found.items()}


def section(results, runs, seconds, limit, total, leak):
    rows = [[name, f"{of['whole_mb_s']:.1f}", spread(of["whole_of_runs"], 1), f"{of['warm_mb_s']:.1f}",
             spread(of["warm_of_runs"], 1), *(" ".join(map(str, of[key])) for key in ("alarms", "warm_alarms",
                                                                                     "high_events", "incarnations"))]
            for name, of in results.items()]
    header = ["limit", "MB/s, whole run", "of the runs", "MB/s, second half", "of the runs",
              "memory alarms of each run", "of them in the second half",
              "`high` events of the last incarnation", "incarnations"]
    return (f"{table(header, rows)}\n\nOne worker writes and reads {total} bytes of files in a loop and leaks {leak} "
            f"bytes a round, {runs} runs of {seconds:g} s each way in turn; the limit is {limit} bytes. "
            "Throughput is the median of the runs, MB are 1,000,000 bytes written or read.")
