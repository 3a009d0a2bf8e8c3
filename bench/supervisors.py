"""The supervisors that are compared: how each is told to run so many workers, with its defaults."""

import dataclasses
import os
import pathlib
import shutil
import signal
import typing

from bench import host, programs

CGROUP = "sergeantcg-bench"
FLOOR_CGROUP = "sergeantcg-bench-floor"
HARNESS_CGROUP = "sergeantcg-bench-harness"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one supervisor runs: a fresh directory, the FIFO its workers report to, what it may use."""
    directory: pathlib.Path
    report: pathlib.Path
    cgroup: pathlib.Path
    sergeantcg: str

    @property
    def worker(self):
        return str(programs.BUILT / "worker")

    @property
    def state(self):
        """A directory on tmpfs, where runit and s6 keep their state as Debian does with /run."""
        return pathlib.Path(f"/dev/shm/bench-{os.getpid()}-{self.directory.name}")

    def make_state(self):
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()
        return self.state


@dataclasses.dataclass(frozen=True)
class Supervisor:
    """`command` writes what configuration is needed for so many workers and returns the command line."""
    name: str
    command: typing.Callable[[Place, int], list[str]]
    remark: str
    package: programs.Package | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # A replacement takes it the better part of a second or more: few are measured.
    slow: bool = False

    def missing(self):
        return self.package is not None and not self.package.find()


def floor_supervisor(name="floor", memory_max=None, memory_high=None, worker=None):
    def command(place, workers):
        cgroup = place.cgroup / FLOOR_CGROUP
        host.make_cgroup(cgroup)
        if memory_max or memory_high:
            host.enable(cgroup, ["memory"])
        return [str(programs.BUILT / "floor"), str(cgroup), str(workers), str(memory_max or "-"),
                str(memory_high or "-"), *(worker(place) if worker else [place.worker, str(place.report)])]
    return Supervisor(name, command, "bench/floor.c: the same system calls and nothing else")


def sergeantcg_supervisor(options=(), worker=None, name="sergeantcg"):
    """In the root of the hierarchy it makes a cgroup for itself; elsewhere it gets one to itself, as a service does."""
    def command(place, workers):
        words = [place.sergeantcg, "--name", "bench", "--concurrent-workers", str(workers), *options,
                 "--", *(worker(place) if worker else [place.worker, str(place.report)])]
        if host.is_hierarchy_root(place.cgroup):
            return words
        host.make_cgroup(place.cgroup / CGROUP)
        host.delegate(place.cgroup / CGROUP)
        return ["sh", "-c", 'echo 0 > "$0" && exec "$@"', str(place.cgroup / CGROUP / "cgroup.procs"), *words]
    return Supervisor(name, command, "`--name bench --concurrent-workers N`, otherwise its defaults")


def write_shell_run(place, run):
    run.write_text(f"#!/bin/sh\nexec {place.worker} {place.report}\n")
    run.chmod(0o755)


def link_run(place, run):
    run.symlink_to(place.worker)


def runit_command(write_run):
    """One service directory a worker; `supervise` is on tmpfs through a symbolic link."""
    def command(place, workers):
        services, state = place.directory / "services", place.make_state()
        for number in range(workers):
            service = services / f"worker-{number:05}"
            service.mkdir(parents=True)
            (service / "supervise").symlink_to(state / service.name)
            write_run(place, service / "run")
        # runsvdir sleeps a second where the directory was changed within this one: not its speed, but our haste.
        os.utime(services, (0, 0))
        return ["runsvdir", str(services)]
    return command


def s6_command(place, workers):
    services = place.make_state()
    for number in range(workers):
        service = services / f"worker-{number:05}"
        service.mkdir()
        write_shell_run(place, service / "run")
    # Its own default is 500 services.
    return ["s6-svscan", "-c", str(workers + 10), str(services)]


def supervisord_command(place, workers):
    # Three pipes a worker: more than the default of 1024 descriptors allows for 1,000 workers.
    configuration = place.directory / "supervisord.conf"
    configuration.write_text(f"""\
[supervisord]
nodaemon=true
logfile={place.directory}/supervisord.log
pidfile={place.directory}/supervisord.pid
childlogdir={place.directory}
minfds={max(1024, 4 * workers + 100)}

[program:worker]
command={place.worker} {place.report}
process_name=%(program_name)s-%(process_num)04d
numprocs={workers}
autorestart=true
""")
    return ["supervisord", "-c", str(configuration)]


def circus_command(place, workers):
    configuration = place.directory / "circus.ini"
    configuration.write_text(f"""\
[circus]
endpoint = ipc://{place.directory}/endpoint
pubsub_endpoint = ipc://{place.directory}/pubsub

[watcher:worker]
cmd = {place.worker} {place.report}
numprocesses = {workers}
""")
    return [str(programs.VENV / "bin/circusd"), str(configuration)]


def sergeant_supervisor(limit=None, worker=None):
    def command(place, workers):
        return [str(programs.VENV / "bin/python"), str(pathlib.Path(__file__).parent / "upstream.py"),
                str(place.report), str(workers), str(limit or "-"),
                *(worker(place) if worker else [place.worker, str(place.report)])]
    return Supervisor("sergeant", command, "upstream's own supervisor, with the C worker in the place of its Python "
                      "worker (bench/upstream.py), which starts faster", programs.SERGEANT, slow=True)


def systemd_supervisor(lines=(), worker=None):
    """A template unit, an instance a worker; a shell that stops them all at its end stands for the supervisor."""
    def command(place, workers):
        words = " ".join(worker(place) if worker else [place.worker, str(place.report)])
        unit = pathlib.Path("/run/systemd/system/bench@.service")
        unit.write_text("\n".join(["[Unit]", "StartLimitIntervalSec=0", "[Service]", f"ExecStart={words}",
                                   "Restart=always", "RestartSec=0", *lines]) + "\n")
        units = " ".join(f"bench@{number}" for number in range(workers))
        return ["sh", "-c", f"trap 'systemctl stop \"bench@*\"; rm {unit}; exit' TERM; systemctl daemon-reload; "
                            f"systemctl start {units}; sleep 100000 & wait"]
    return Supervisor("systemd", command, "a template unit, `Restart=always RestartSec=0 StartLimitIntervalSec=0`",
                      programs.SYSTEMD)


FLOOR = floor_supervisor()
SERGEANTCG = sergeantcg_supervisor()
RUNSV = Supervisor("runsv", runit_command(write_shell_run),
                   "runit: a runsv a worker, each under one runsvdir; `run` is a shell script that execs the worker",
                   programs.RUNIT, signal.SIGHUP)
ALL = [
    FLOOR,
    SERGEANTCG,
    RUNSV,
    Supervisor("runsv-no-shell", runit_command(link_run), "the same, but `run` is the worker's program itself",
               programs.RUNIT, signal.SIGHUP),
    Supervisor("s6", s6_command, "an s6-supervise a worker, each under one s6-svscan; `run` as for runsv. It starts a "
               "service at most once a second, by design", programs.S6, slow=True),
    Supervisor("supervisord", supervisord_command,
               "`autorestart=true` (its default restarts only unexpected exits; all the others always restart), "
               "`minfds` raised where the workers need it", programs.SUPERVISOR, slow=True),
    Supervisor("circus", circus_command, "a watcher with `numprocesses = N`, otherwise its defaults",
               programs.CIRCUS, slow=True),
    sergeant_supervisor(),
]
