"""The report: goals, tables, what was compared and how to repeat it."""

import pathlib

from bench import goals, programs, supervisors
from bench.parts import MEASURES, PARTS

REMARKS = pathlib.Path(__file__).parent / "remarks.md"


def goals_of(parts):
    return [goal for part in parts.values() for name, figures in part.get("figures", {}).items()
            for goal in MEASURES[name].goals(figures)]


def machine_line(machine):
    return (f"{machine['cores']} CPU{'s' if machine['cores'] > 1 else ''} ({machine['processor']}), Linux "
            f"{machine['kernel']}, {machine['date']}, load average {machine['load_average']} at the start.")


def versions(sergeantcg):
    packages = (programs.RUNIT, programs.S6, programs.SUPERVISOR, programs.CIRCUS, programs.SERGEANT)
    found = {"sergeantcg": programs.first_line([sergeantcg, "--version"])}
    found.update({one.name: version for one in packages if (version := one.version())})
    return found


def compared(parts, known):
    missing = {name: package for part in parts.values() for name, package in part.get("missing", {}).items()}
    lines = [f"- {one.name}: {one.remark}" + (f". **Not here:** {missing[one.name]} is not installed"
                                              if one.name in missing else "")
             for one in supervisors.ALL]
    for part in parts.values():
        known = {**known, **part.get("versions", {})}
    return "\n".join([*lines, "", "Versions: " + ", ".join(f"{name} {version}" for name, version in known.items()) + "."])


def markdown(command, parts, known):
    sections = [
        "# Benchmarks",
        f"The last run of\n\n```\nscripts/install-dependencies --bench && scripts/build && {command}\n```\n\nwhich "
        "writes this file. Everything is run side by side, taking turns, so that the ratios hold on a noisy machine too; "
        "the figures themselves are this machine's.",
        "## What it is to reach", goals.section(goals_of(parts)),
    ]
    if REMARKS.exists():
        sections.append(REMARKS.read_text().strip())
    for name, part in parts.items():
        sections.append(f"## {PARTS[name].title}")
        if "machine" in part:
            sections.append(machine_line(part["machine"]))
        sections += [MEASURES[measure].section(figures) for measure, figures in part.get("figures", {}).items()]
        sections += [f"**Not measured:** {measure}: {reason}" for measure, reason in part.get("failures", {}).items()]
    sections += ["## What was compared", compared(parts, known)]
    return "\n\n".join(sections) + "\n"
