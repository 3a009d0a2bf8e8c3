"""What sergeantcg is to reach, and whether it did."""

import dataclasses

from bench.tables import table


@dataclasses.dataclass(frozen=True)
class Goal:
    measure: str
    goal: str
    figure: str
    ratio: str = "–"
    # None: there is no bar, it is only measured.
    holds: bool | None = None

    @property
    def verdict(self):
        return {True: "holds", False: "**missed**", None: "measured"}[self.holds]


def section(goals):
    rows = [[one.measure, one.goal, one.figure, one.ratio, one.verdict] for one in goals]
    return table(["measure", "goal", "figure", "ratio", ""], rows, left=5)


def as_json(goals):
    return [dataclasses.asdict(one) for one in goals]
