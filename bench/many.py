"""Many workers at once: the start of a supervisor to the first statement of the last of them."""

import statistics

from bench.goals import Goal
from bench.running import note
from bench.supervisors import ALL
from bench.tables import ratios, spread, table


def measure(bench, sizes, only):
    chosen = only(ALL)
    times = {supervisor.name: [] for supervisor in chosen}
    for number in range(sizes.many_rounds):
        note(f"{sizes.many} workers at once, round {number + 1} of {sizes.many_rounds}")
        for supervisor in chosen:
            with bench.started([(supervisor, sizes.many)]) as (running,):
                times[supervisor.name].append((max(running.started_at.values()) - running.start_ns) / 1e9)
        note("  s: " + ", ".join(f"{name} {values[-1]:.2f}" for name, values in times.items()))
    return {name: {"workers": sizes.many, "median_s": statistics.median(values), "rounds_s": values}
            for name, values in times.items()}


def section(figures):
    bases = ("floor", "runsv")
    to_bases = ratios(figures, "median_s", bases)
    rows = [[name, f"{of['median_s']:.2f}", spread(of["rounds_s"], 2), f"{of['workers'] / of['median_s']:.0f}",
             *to_bases[name]] for name, of in figures.items()]
    one = next(iter(figures.values()))
    header = [f"{one['workers']} workers, from start to all running", "median s", f"of {len(one['rounds_s'])} rounds",
              "workers a second", *(f"s / {base}" for base in bases if base in figures)]
    return table(header, rows)


def goals(figures):
    if not {"sergeantcg", "floor"} <= figures.keys():
        return []
    ours, floor = figures["sergeantcg"], figures["floor"]
    # The same number of workers: the rate's ratio is that of the times, turned over.
    rate = floor["median_s"] / ours["median_s"]
    return [Goal(f"{ours['workers']:,} workers from start to all running", "at least 0.8 of the floor's rate",
                 f"{ours['median_s']:.2f} s", f"{rate:.2f} of the floor's rate", rate >= 0.8)]
