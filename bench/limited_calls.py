"""The system calls of a respawn again, with the limits of memory that each new cgroup is given."""

from bench import respawn_calls
from bench.limited import LIMIT
from bench.supervisors import floor_supervisor, sergeantcg_supervisor


def measure(bench, sizes, only):
    chosen = [floor_supervisor(memory_max=LIMIT), sergeantcg_supervisor(["--memory-max", str(LIMIT)])]
    return respawn_calls.under(bench, only(chosen), sizes.traced_kills)


def section(figures):
    return respawn_calls.section(figures, "the same, memory limited")


def goals(figures):
    return respawn_calls.goals(figures, "the same where memory is limited too")
