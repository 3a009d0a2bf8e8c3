"""What the benchmark runs beside sergeantcg: its own C programs, and the supervisors that it compares with."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

from bench import host

PROJECT = pathlib.Path(__file__).resolve().parent.parent
# Below the checkout, so that a guest kernel sees it; never committed.
BUILT = PROJECT / ".build/bench"
VENV = PROJECT / ".build/bench-venv"
OWN = ("worker", "floor", "streamer", "eater")


def compile_own():
    """Compiles what is missing or older than its source; a guest kernel finds all of it done."""
    sources = pathlib.Path(__file__).parent
    for program in OWN:
        source, built = sources / f"{program}.c", BUILT / program
        if built.exists() and built.stat().st_mtime >= source.stat().st_mtime:
            continue
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-O2", "-Wall", "-Wextra", "-static", "-pthread",
                        "-o", str(built), str(source)], check=True)
    # Pages of a file not yet written back count as private dirty memory of whoever maps it.
    os.sync()


@dataclasses.dataclass(frozen=True)
class Package:
    """Something installed that is compared with: the program that shows it is there, and who knows its version."""
    name: str
    program: str
    version_command: list[str]

    def find(self):
        return shutil.which(self.program) or shutil.which(str(VENV / "bin" / self.program))

    def version(self):
        return first_line(self.version_command).removeprefix(f"{self.name} ") if self.find() else None


def of_debian(name, program):
    return Package(name, program, ["dpkg-query", "-W", "-f", "${Version}", name])


def of_pypi(name, program):
    return Package(name, program, [str(VENV / "bin/python"), "-c",
                                   f"import importlib.metadata as m; print(m.version('{name}'))"])


RUNIT = of_debian("runit", "runsvdir")
S6 = of_debian("s6", "s6-svscan")
SUPERVISOR = of_debian("supervisor", "supervisord")
CIRCUS = of_pypi("circus", "circusd")
SERGEANT = of_pypi("sergeant", "python")
SYSTEMD = Package("systemd", "systemctl", ["systemctl", "--version"])


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "of unknown version"
    lines = done.stdout.split("\n")
    return lines[0].strip() or "of unknown version"


def find_sergeantcg(given):
    path = pathlib.Path(given) if given else PROJECT / ".build-static/release/sergeantcg"
    if not os.access(path, os.X_OK):
        raise host.Failure(f"no program at {path}: build it with scripts/build, name another with --sergeantcg PATH")
    return str(path.resolve())
