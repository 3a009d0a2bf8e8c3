"""How much of everything is measured."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sizes:
    rounds: int = 5
    workers: int = 100        # to kill under each fast supervisor
    slow_workers: int = 4     # and under each slow one
    idle_workers: int = 50
    idle_seconds: int = 10
    many: int = 1000
    many_rounds: int = 3
    crowd: int = 10_000
    footprint_workers: int = 1000
    footprint_seconds: int = 60
    traced_kills: int = 50
    respawns: int = 100_000
    respawning_workers: int = 500
    crossings: int = 40
    overshoots: int = 200
    limited_workers: int = 40
    limited_rounds: int = 2
    oom_workers: int = 40
    oom_rounds: int = 2


WHOLE = Sizes()
QUICK = Sizes(rounds=1, workers=20, slow_workers=2, idle_workers=10, idle_seconds=3, many=100, many_rounds=1, crowd=1000,
              footprint_workers=100, footprint_seconds=5, traced_kills=10, respawns=2000, respawning_workers=100,
              crossings=5, overshoots=10, limited_workers=8, limited_rounds=1, oom_workers=8, oom_rounds=1)
