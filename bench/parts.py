"""The parts of the benchmark: what each measures, on which kernel, and how one is run there."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from bench import (crowd, footprint, host, idle, limited, limited_calls, many, oom, overshoot, programs, replacement,
                   respawn_calls, respawns, soft_limit)
from bench.running import Bench, note

KERNELS = programs.PROJECT / "scripts"


@dataclasses.dataclass(frozen=True)
class Part:
    title: str
    # What runs a command on the kernel that is needed; none: this one.
    runner: list[str]
    controllers: list[str]
    # {name: module}: each has `measure`, `section` and `goals`.
    measures: dict


PARTS = {
    "native": Part("On this kernel, without limits", [], [], {
        "replacement": replacement, "idle": idle, "many": many, "crowd": crowd, "footprint": footprint,
        "respawn-calls": respawn_calls, "respawns": respawns}),
    "memory": Part("With a memory controller", [str(KERNELS / "in-cgroup2")], ["memory"], {
        "soft-limit": soft_limit, "overshoot": overshoot}),
    "systemd": Part("Beside systemd, in a QEMU machine", [str(KERNELS / "kernels/qemu")], ["memory"], {
        "limited-replacement": limited, "limited-calls": limited_calls, "oom": oom}),
}
MEASURES = {name: module for part in PARTS.values() for name, module in part.measures.items()}


def measures_of(part, wanted):
    return {name: module for name, module in PARTS[part].measures.items() if not wanted or name in wanted}


def measure_inside(part, wanted, names, sizes, sergeantcg):
    """On the kernel where it is measured: every figure, ready for JSON."""
    missing = {}

    def only(supervisors):
        named = [one for one in supervisors if not names or one.name in names]
        missing.update({one.name: one.package.name for one in named if one.missing()})
        return [one for one in named if not one.missing()]

    if PARTS[part].controllers:
        host.require_memory_controller(host.own_cgroup())
    machine, figures, seconds, failures = host.machine(), {}, {}, {}
    # On tmpfs in a guest; what is to lie on a disk says so.
    with tempfile.TemporaryDirectory(prefix="sergeantcg-bench-") as directory:
        with Bench(directory, sergeantcg, PARTS[part].controllers) as bench:
            for name, module in measures_of(part, wanted).items():
                begin = time.monotonic()
                try:
                    figures[name] = module.measure(bench, sizes, only)
                except host.Failure as failure:
                    note(f"{name}: {failure}")
                    failures[name] = str(failure)
                    bench.stop_all()
                seconds[name] = round(time.monotonic() - begin, 1)
    versions = {"systemd": programs.SYSTEMD.version()} if part == "systemd" else {}
    return {"machine": machine, "versions": versions, "figures": figures, "seconds": seconds, "failures": failures,
            "missing": missing}


def run(part, arguments, sergeantcg):
    """Runs the part where it has what it needs; what it found, or the reason why not under `failures`."""
    note(f"== {part}: {PARTS[part].title}")
    environment = dict(os.environ)
    if part == "systemd":
        if programs.PROJECT not in pathlib.Path(sergeantcg).parents:
            return {"failures": {part: f"the machine sees only the checkout, {sergeantcg} is not in it"}}
        environment["PATH"] = f"{lend_runit()}:{environment['PATH']}"
    command = [*PARTS[part].runner, str(KERNELS / "bench"), part, "--inside", "--sergeantcg", sergeantcg, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"failures": {part: f"ended with status {done.returncode}"}}


def lend_runit():
    """A directory in the checkout with runit's programs, for the machine has none of this one's."""
    lent = programs.BUILT / "bin"
    lent.mkdir(parents=True, exist_ok=True)
    for name in ("runsvdir", "runsv"):
        if found := shutil.which(name):
            shutil.copy(found, lent)
    return lent


def print_figures(found):
    json.dump(found, sys.stdout)
    sys.stdout.write("\n")
