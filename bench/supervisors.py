"""The supervisors that are compared: how each is told to run so many workers, with its defaults."""

import dataclasses
import fcntl
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time
import typing

from bench import host

CGROUP = "sergeantcg-bench"
FLOOR_CGROUP = "sergeantcg-bench-floor"
HARNESS_CGROUP = "sergeantcg-bench-harness"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one supervisor runs: a fresh directory, the FIFO its workers report to, what it may use."""
    directory: pathlib.Path
    report: pathlib.Path
    programs: pathlib.Path
    cgroup: pathlib.Path
    sergeantcg: str
    memory_max: str | None

    @property
    def worker(self):
        return str(self.programs / "worker")


@dataclasses.dataclass(frozen=True)
class Supervisor:
    """`command` writes what configuration is needed for so many workers and returns the command line."""
    name: str
    command: typing.Callable[[Place, int], list[str]]
    stop_signal: signal.Signals
    remark: str


def floor_command(place, workers):
    cgroup = place.cgroup / FLOOR_CGROUP
    host.make_cgroup(cgroup)
    if place.memory_max:
        host.enable(cgroup, ["memory"])
    return [str(place.programs / "floor"), str(cgroup), str(workers), place.memory_max or "-",
            place.worker, str(place.report)]


def sergeantcg_command(place, workers, limits=(), worker=None):
    """In the root of the hierarchy it makes a cgroup for itself; elsewhere it gets one to itself, as a service does."""
    command = [place.sergeantcg, "--name", "bench", "--concurrent-workers", str(workers), *limits,
               "--", *(worker or [place.worker, str(place.report)])]
    if host.is_hierarchy_root(place.cgroup):
        return command
    host.make_cgroup(place.cgroup / CGROUP)
    return ["sh", "-c", 'echo 0 > "$0" && exec "$@"', str(place.cgroup / CGROUP / "cgroup.procs"), *command]


def sergeantcg_life_cycle(place, workers):
    return sergeantcg_command(place, workers, ["--memory-max", place.memory_max] if place.memory_max else [])


def runit_services(place, workers, write_run):
    """One service directory a worker; `supervise` is on tmpfs through a symbolic link, as Debian does with /run."""
    services = place.directory / "services"
    state = pathlib.Path(f"/dev/shm/bench-{os.getpid()}-{place.directory.name}")
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    for number in range(workers):
        service = services / f"worker-{number:04}"
        service.mkdir(parents=True)
        (service / "supervise").symlink_to(state / service.name)
        write_run(service / "run")
    # runsvdir sleeps a second where the directory was changed within this one: not its speed, but our haste.
    os.utime(services, (0, 0))
    return ["runsvdir", str(services)]


def runit_shell_command(place, workers):
    def write_run(run):
        run.write_text(f"#!/bin/sh\nexec {place.worker} {place.report}\n")
        run.chmod(0o755)
    return runit_services(place, workers, write_run)


def runit_direct_command(place, workers):
    return runit_services(place, workers, lambda run: run.symlink_to(place.worker))


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


ALL = [
    Supervisor("floor", floor_command, signal.SIGTERM,
               "bench/floor.c: the same system calls and nothing else"),
    Supervisor("sergeantcg", sergeantcg_life_cycle, signal.SIGTERM,
               "`--name bench --concurrent-workers N`, otherwise its defaults"),
    Supervisor("runsv", runit_shell_command, signal.SIGHUP,
               "runit: a runsv a worker, each under one runsvdir; `run` is a shell script that execs the worker"),
    Supervisor("runsv-no-shell", runit_direct_command, signal.SIGHUP,
               "the same, but `run` is the worker's program itself"),
    Supervisor("supervisord", supervisord_command, signal.SIGTERM,
               "`autorestart=true` (its default restarts only unexpected exits; all the others always restart), "
               "`minfds` raised where the workers need it"),
]


class Running:
    """A supervisor that was started, and what its workers have reported."""

    def __init__(self, supervisor, place, workers):
        self.supervisor, self.place = supervisor, place
        self.started_at = {}
        place.directory.mkdir()
        os.mkfifo(place.report)
        # Read and write: never an end of file while no worker has it open.
        self.fifo = os.open(place.report, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self.fifo, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.rest = b""
        command = supervisor.command(place, workers)
        self.log = place.directory / "output"
        with open(self.log, "wb") as output:
            self.start_ns = host.monotonic_ns()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "BENCH_REPORT": str(place.report)})

    def read_lines(self):
        """The lines that have come by now, each a tuple of numbers."""
        try:
            lines = (self.rest + os.read(self.fifo, 1 << 20)).split(b"\n")
        except BlockingIOError:
            return []
        self.rest = lines.pop()
        return [tuple(map(int, line.split())) for line in lines]

    def read_reports(self):
        """The workers that have begun by now: [(pid, time in ns)]."""
        reports = self.read_lines()
        self.started_at.update(reports)
        return reports

    def next_report(self, seconds):
        """The first of the reports that come next; sleeps until the kernel has one."""
        ready, _, _ = select.select([self.fifo], [], [], seconds)
        reports = self.read_reports() if ready else []
        if not reports:
            raise self.failure(f"started no replacement within {seconds} s")
        if len(reports) > 1:
            raise self.failure(f"started {len(reports)} workers where one was to be replaced")
        return reports[0]

    def wait_for_workers(self, count, seconds=300):
        """Waits until `count` workers have reported, seldom looking, not to disturb what is measured."""
        deadline = time.monotonic() + seconds
        while len(self.started_at) < count:
            if self.process.poll() is not None:
                raise self.failure(f"ended with status {self.process.returncode} before {count} workers ran")
            if time.monotonic() > deadline:
                raise self.failure(f"had {len(self.started_at)} of {count} workers after {seconds} s")
            time.sleep(0.05)
            self.read_reports()

    def supervising(self):
        """PIDs of the supervisor itself: every process of it that is no worker."""
        below = host.descendants(self.process.pid)
        return [self.process.pid] + [pid for pid in below if pid not in self.started_at]

    def failure(self, what):
        tail = self.log.read_bytes()[-400:].decode(errors="replace").strip()
        return host.Failure(f"{self.supervisor.name} {what}; its last output: {tail or 'none'}")

    def close(self):
        if self.fifo is not None:
            os.close(self.fifo)
            self.fifo = None

    def ask_to_stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.supervisor.stop_signal)


def note(message):
    print(message, file=sys.stderr, flush=True)


class Bench:
    """Starts supervisors in a directory and a cgroup of its own and leaves nothing behind; a context manager."""

    def __init__(self, directory, sergeantcg, memory_max):
        self.directory, self.sergeantcg, self.memory_max = directory, sergeantcg, memory_max
        self.cgroup = host.own_cgroup()
        self.leaf, self.enabled = None, []
        self.running, self.count = [], 0

    def __enter__(self):
        host.adopt_orphans()
        self.compile()
        try:
            self.take_cgroup()
        except BaseException:
            self.give_cgroup_back()
            raise
        # Pages of a file not yet written back count as private dirty memory of whoever maps it.
        os.sync()
        return self

    def __exit__(self, *_):
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        self.stop_all()
        self.give_cgroup_back()

    def compile(self):
        compiler = os.environ.get("CC", "cc")
        sources = pathlib.Path(__file__).parent
        for program in ("worker", "floor", "streamer"):
            subprocess.run([compiler, "-std=gnu17", "-O2", "-Wall", "-Wextra", "-static",
                            "-o", str(self.directory / program), str(sources / f"{program}.c")], check=True)

    def take_cgroup(self):
        """Locks our cgroup and enables controllers for what we start; but for the root, no process may stay in it."""
        self.lock = os.open(self.cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise host.Failure(f"another benchmark runs in {self.cgroup}: wait until it has ended") from error
        if not host.is_hierarchy_root(self.cgroup):
            leaf = self.cgroup / HARNESS_CGROUP
            host.make_cgroup(leaf)
            self.leaf = leaf
            for pid in (self.cgroup / "cgroup.procs").read_text().split():
                (leaf / "cgroup.procs").write_text(pid)
        before = (self.cgroup / "cgroup.subtree_control").read_text().split()
        now = host.enable(self.cgroup, ["cpu", "io", "memory", "pids"] if self.leaf else
                          ["memory"] if self.memory_max else [])
        self.enabled = [controller for controller in now if controller not in before]

    def give_cgroup_back(self):
        for controller in self.enabled:
            (self.cgroup / "cgroup.subtree_control").write_text(f"-{controller}")
        if self.leaf:
            for pid in (self.leaf / "cgroup.procs").read_text().split():
                (self.cgroup / "cgroup.procs").write_text(pid)
            self.leaf.rmdir()

    def start(self, supervisor, workers):
        self.count += 1
        directory = self.directory / f"{self.count}-{supervisor.name}"
        place = Place(directory, directory / "report", self.directory, self.cgroup, self.sergeantcg,
                      self.memory_max)
        running = Running(supervisor, place, workers)
        self.running.append(running)
        return running

    def stop_all(self):
        """Asks every supervisor to stop, gives them 15 s together, then kills whatever is left."""
        for running in self.running:
            running.ask_to_stop()
        deadline = time.monotonic() + 15
        for running in self.running:
            try:
                running.process.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                note(f"{running.supervisor.name} did not stop within 15 s: killed")
        host.kill_descendants()
        for running in self.running:
            running.close()
            shutil.rmtree(running.place.directory, ignore_errors=True)
        for state in pathlib.Path("/dev/shm").glob(f"bench-{os.getpid()}-*"):
            shutil.rmtree(state)
        for name in (CGROUP, FLOOR_CGROUP):
            host.remove_cgroup(self.cgroup / name)
        self.running.clear()
