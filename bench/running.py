"""Supervisors that run: started in a place of their own, heard through a FIFO, gone without a trace at the end."""

import contextlib
import fcntl
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time

from bench import host, programs
from bench.supervisors import CGROUP, FLOOR_CGROUP, HARNESS_CGROUP, Place


def note(message):
    print(message, file=sys.stderr, flush=True)


class Running:
    """A supervisor that was started, and what its workers have reported."""

    def __init__(self, supervisor, place, workers):
        self.supervisor, self.place, self.workers = supervisor, place, workers
        self.started_at, self.reported = {}, 0
        place.directory.mkdir()
        os.mkfifo(place.report)
        # Read and write: never an end of file while no worker has it open.
        self.fifo = os.open(place.report, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self.fifo, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.rest = b""
        # What nohup, or a shell in the background, has the benchmark ignore is no part of what is measured.
        command = ["env", "--default-signal", *supervisor.command(place, workers)]
        self.log = place.directory / "output"
        with open(self.log, "wb") as output:
            self.start_ns = host.monotonic_ns()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "BENCH_REPORT": str(place.report)})

    @property
    def name(self):
        return self.supervisor.name

    def read_lines(self):
        """The lines that have come by now, each a tuple of numbers."""
        try:
            lines = (self.rest + os.read(self.fifo, 1 << 20)).split(b"\n")
        except BlockingIOError:
            return []
        self.rest = lines.pop()
        return [tuple(map(int, line.split())) for line in lines]

    def next_lines(self, seconds):
        """The lines that come next; sleeps until the kernel has one."""
        ready, _, _ = select.select([self.fifo], [], [], seconds)
        return self.read_lines() if ready else []

    def read_reports(self):
        """The workers that have begun by now: [(pid, time in ns)]."""
        reports = self.read_lines()
        self.started_at.update(reports)
        # Of a hundred thousand workers some had the same PID.
        self.reported += len(reports)
        return reports

    def next_report(self, seconds):
        """The first of the reports that come next."""
        reports = self.next_lines(seconds)
        self.started_at.update(reports)
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

    def expect_no_others(self):
        """The workers that were asked for have started, and no other."""
        self.read_reports()
        if len(self.started_at) != self.workers:
            raise self.failure(f"started {len(self.started_at)} workers, not {self.workers}")

    def supervising(self):
        """PIDs of the supervisor itself: every process of it that is no worker."""
        below = host.descendants(self.process.pid)
        return [self.process.pid] + [pid for pid in below if pid not in self.started_at]

    def failure(self, what):
        tail = self.log.read_bytes()[-400:].decode(errors="replace").strip()
        return host.Failure(f"{self.name} {what}; its last output: {tail or 'none'}")

    def close(self):
        if self.fifo is not None:
            os.close(self.fifo)
            self.fifo = None

    def ask_to_stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.supervisor.stop_signal)


def wait_for_age(all_running, seconds):
    """Waits until the youngest of all workers has lived so long."""
    youngest = max(max(running.started_at.values()) for running in all_running)
    time.sleep(max(0, seconds - (host.monotonic_ns() - youngest) / 1e9))


class Bench:
    """Starts supervisors in a directory and a cgroup of its own and leaves nothing behind; a context manager."""

    def __init__(self, directory, sergeantcg, controllers=()):
        """`controllers` are enabled for what is started, beside those that a delegated cgroup has anyway."""
        self.directory, self.sergeantcg, self.controllers = pathlib.Path(directory), sergeantcg, controllers
        # Where files have a page cache: in a guest kernel, TMPDIR is tmpfs.
        self.disk = pathlib.Path(os.environ.get("SERGEANTCG_DISK_DIRECTORY", directory))
        self.cgroup = host.own_cgroup()
        self.leaf, self.enabled = None, []
        self.running, self.count = [], 0

    def __enter__(self):
        host.adopt_orphans()
        programs.compile_own()
        try:
            self.take_cgroup()
        except BaseException:
            self.give_cgroup_back()
            raise
        return self

    def __exit__(self, *_):
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        self.stop_all()
        self.give_cgroup_back()

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
        now = host.enable(self.cgroup, ["cpu", "io", "memory", "pids"] if self.leaf else self.controllers)
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
        place = Place(directory, directory / "report", self.cgroup, self.sergeantcg)
        running = Running(supervisor, place, workers)
        self.running.append(running)
        return running

    @contextlib.contextmanager
    def started(self, chosen):
        """All of [(supervisor, workers)] side by side, each with all its workers up; stopped at the end."""
        try:
            all_running = [self.start(supervisor, workers) for supervisor, workers in chosen]
            for running in all_running:
                running.wait_for_workers(running.workers)
            yield all_running
        finally:
            self.stop_all()

    def stop_all(self):
        """Asks every supervisor to stop, gives them 15 s together, then kills whatever is left."""
        for running in self.running:
            running.ask_to_stop()
        deadline = time.monotonic() + 15
        for running in self.running:
            try:
                running.process.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                note(f"{running.name} did not stop within 15 s: killed")
        host.kill_descendants()
        for running in self.running:
            running.close()
            shutil.rmtree(running.place.directory, ignore_errors=True)
        for state in pathlib.Path("/dev/shm").glob(f"bench-{os.getpid()}-*"):
            shutil.rmtree(state)
        for name in (CGROUP, FLOOR_CGROUP):
            host.remove_cgroup(self.cgroup / name)
        self.running.clear()
