"""The replacement again where there is a memory controller: each worker in a cgroup that is limited, systemd too."""

from bench import replacement
from bench.goals import Goal
from bench.supervisors import RUNSV, floor_supervisor, sergeantcg_supervisor, systemd_supervisor
from bench.tables import ratio, table

LIMIT = 64 << 20
BASES = ("floor", "runsv", "systemd")


def measure(bench, sizes, only):
    chosen = only([floor_supervisor(memory_max=LIMIT), sergeantcg_supervisor(["--memory-max", str(LIMIT)]), RUNSV,
                   systemd_supervisor([f"MemoryMax={LIMIT}", "MemorySwapMax=0"])])
    return replacement.rounds(bench, [(one, sizes.limited_workers) for one in chosen], sizes.limited_rounds)


def section(figures):
    head = replacement.header("the same, with memory limits", BASES, figures)
    return (f"{table(head, replacement.rows(figures, BASES))}\n\nfloor, sergeantcg and systemd limit the memory of each "
            "worker's cgroup; runsv makes none. systemd is the machine's own: `Restart=always RestartSec=0`, an instance of "
            "a template unit a worker.")


def goals(figures):
    if not {"sergeantcg", *BASES} <= figures.keys():
        return []
    ours, floor, runsv, systemd = (figures[name]["p50_ms"] for name in ("sergeantcg", *BASES))
    return [Goal("the same p50 where memory is limited too, emulated", "under runsv's, and at most 1.25 of the floor",
                 f"{ours:.1f} ms", f"{ratio(ours, runsv)} of runsv, {ratio(ours, floor)} of the floor, "
                 f"{ratio(ours, systemd)} of systemd", ours < runsv and ours <= 1.25 * floor)]
