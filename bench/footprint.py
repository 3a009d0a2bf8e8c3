"""What the supervisor itself takes for one worker and for each further one, and that it sleeps while they do."""

from bench import idle
from bench.goals import Goal
from bench.running import note, wait_for_age
from bench.supervisors import FLOOR, SERGEANTCG
from bench.tables import table

SECONDS_FOR_ONE = 1


def measure(bench, sizes, only):
    found = {supervisor.name: {} for supervisor in only([FLOOR, SERGEANTCG])}
    for workers, seconds in ((1, SECONDS_FOR_ONE), (sizes.footprint_workers, sizes.footprint_seconds)):
        note(f"footprint: {workers} workers, twice {seconds} s")
        with bench.started([(one, workers) for one in only([FLOOR, SERGEANTCG])]) as all_running:
            wait_for_age(all_running, idle.AGE_SECONDS)
            for name, of in idle.observe(all_running, seconds).items():
                found[name]["one" if workers == 1 else "all"] = of
    for of in found.values():
        further = of["all"]["workers"] - 1
        for key in ("private_dirty_kb", "descriptors", "rss_kb"):
            of[f"{key}_each"] = (of["all"][key] - of["one"][key]) / further
    return found


def section(figures):
    rows = []
    for name, of in figures.items():
        for size in (of["one"], of["all"]):
            rows.append([name, f"{size['workers']:,}", str(size["rss_kb"]), str(size["private_dirty_kb"]),
                         str(size["descriptors"]), f"{size['wake_ups']} in {size['seconds']} s",
                         f"{size['system_calls']} in {size['seconds']} s"])
        rows.append([name, "each further one", f"{of['rss_kb_each']:.2f}", f"{of['private_dirty_kb_each']:.2f}",
                     f"{of['descriptors_each']:.3f}", "", ""])
    return table(["", "workers", "RSS kB", "private dirty kB", "descriptors", "wake-ups", "system calls"], rows)


def goals(figures):
    if "sergeantcg" not in figures:
        return []
    ours = figures["sergeantcg"]
    one, all_of_it = ours["one"], ours["all"]
    # 1 MB is 1024 kB here, as /proc counts.
    rss, private = one["rss_kb"] / 1024, one["private_dirty_kb"] / 1024
    quiet = all_of_it["system_calls"] == all_of_it["wake_ups"] == 0
    return [
        Goal(f"idle, {all_of_it['workers']:,} workers, {all_of_it['seconds']} s", "0 system calls, 0 wake-ups",
             f"{all_of_it['system_calls']} system calls, {all_of_it['wake_ups']} wake-ups", holds=quiet),
        Goal("the supervisor's memory: 1 worker (binary synced to disk)", "RSS at most 11 MB, private dirty at most 1.0 MB",
             f"RSS {rss:.2f} MB, private dirty {private:.2f} MB", holds=rss <= 11 and private <= 1.0),
        Goal(f"each further worker, to {all_of_it['workers']:,}", "at most 2 kB private dirty, at most 2 descriptors",
             f"{ours['private_dirty_kb_each']:.2f} kB, {ours['descriptors_each']:.2f} descriptors",
             holds=ours["private_dirty_kb_each"] <= 2 and ours["descriptors_each"] <= 2),
    ]
