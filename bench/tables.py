"""Figures as Markdown."""


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ratio(value, base):
    return f"{value / base:.2f}" if base else "–"


def spread(values, digits):
    return f"{min(values):.{digits}f}–{max(values):.{digits}f}"


def heading(machine, command, versions):
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (f"{machine['cores']} cores ({machine['processor']}), Linux {machine['kernel']}, {machine['date']}, "
            f"load average {machine['load_average']} at the start; {known}.\n\nRepeat with `{command}`.")


def replacement(results, workers, rounds):
    bases = [name for name in ("floor", "runsv") if name in results]
    rows = [[name, f"{of['p50_ms']:.2f}", spread(of["p50_ms_of_rounds"], 2), f"{of['p99_ms']:.2f}",
             f"{of['max_ms']:.2f}", *(ratio(of["p50_ms"], results[base]["p50_ms"]) for base in bases)]
            for name, of in results.items()]
    header = ["SIGKILL to the replacement's first statement", "p50 ms", f"p50 of the {rounds} rounds",
              "p99 ms", "max ms", *(f"p50 / {base}" for base in bases)]
    return (f"{table(header, rows)}\n\n{workers} workers each, each killed once a round, {workers * rounds} kills a "
            "row. All supervisors of a round are up side by side (an idle one disturbs nobody) and take turns kill by "
            "kill; workers are at least 11 s old, and 20 ms pass between kills. runsv and supervisord make no cgroup.")


def idle(results, workers):
    rows = [[name, str(of["wake_ups"]), str(of["system_calls"]), str(of["processes"]), str(of["rss_kb"]),
             str(of["private_dirty_kb"]), f"{of['rss_kb'] / of['processes']:.0f}",
             f"{of['private_dirty_kb'] / of['processes']:.0f}"] for name, of in results.items()]
    seconds = next(iter(results.values()))["seconds"]
    header = [f"{workers} idle workers", f"wake-ups in {seconds:g} s", f"system calls in {seconds:g} s", "processes",
              "RSS kB", "private dirty kB", "RSS kB a process", "private dirty kB a process"]
    return (f"{table(header, rows)}\n\nWake-ups are voluntary context switches of all threads of all the supervisor's "
            f"processes; system calls are counted by strace in another {seconds:g} s. Memory is from smaps_rollup, "
            "summed over the processes: RSS counts shared pages once for each.")


def many(results, workers, rounds):
    bases = [name for name in ("floor", "runsv") if name in results]
    rows = [[name, f"{of['median_s']:.2f}", spread(of["rounds_s"], 2),
             *(ratio(of["median_s"], results[base]["median_s"]) for base in bases),
             str(of["rss_kb"]), str(of["private_dirty_kb"])] for name, of in results.items()]
    header = [f"{workers} workers, from start to all running", "median s", f"of {rounds} rounds",
              *(f"/ {base}" for base in bases), "RSS kB", "private dirty kB"]
    return table(header, rows)


def streaming(results, runs, seconds, limit, total, leak):
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
