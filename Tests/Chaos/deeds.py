"""What is done to a worker, or by it, and what must be said of its end."""
import dataclasses
import os
import signal
import time

import machine

# As in Tests/TestWorker/puppet.c.
SUCCEED, FAIL, ABORT, FLOOD, LEAK, CLING, BOMB, FALL_SILENT, CHATTER, PRINT, LEAVE = range(1, 12)


@dataclasses.dataclass
class Deed:
    kind: str
    worker: str
    incarnation: int
    # In a long run it is another's again.
    pid: int
    at: float
    # What the end must be told as: the reason, and its exit code (a number from 0) or signal (below 0).
    reason: str = None
    endings: tuple = ()
    # A line of this event must name the worker.
    event: str = None

    @property
    def incarnation_key(self):
        return self.worker, self.incarnation


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of deed: what is to be done, and what must come of it."""
    group: str
    value: int = None
    signals: tuple = ()
    reason: str = None
    endings: tuple = ()
    event: str = None
    # Its main process is killed so many seconds later.
    killed_after: float = None
    removes_cgroup: bool = False


KINDS = {
    'kill': Kind(None, signals=(signal.SIGKILL,), reason='crashed', endings=(-9,)),
    'kill and rmdir': Kind(
        None, signals=(signal.SIGKILL,), reason='crashed', endings=(-9,), removes_cgroup=True),
    'success': Kind(None, SUCCEED, reason='finished', endings=(0,)),
    'failure': Kind(None, FAIL, reason='failed', endings=(3,)),
    'abort': Kind(None, ABORT, reason='crashed', endings=(-6,)),
    'daemon': Kind(None, LEAVE, reason='finished', endings=(0,), event='worker_leftovers'),
    'flood': Kind('hard', FLOOD, reason='oom_killed', endings=(-9,), event='worker_oom'),
    'bomb': Kind('hard', BOMB, reason='crashed', endings=(-9,), event='worker_pids_limit', killed_after=2),
    'leak': Kind('soft', LEAK, reason='memory_limit', endings=(0,), event='worker_memory_limit'),
    'clinging leak': Kind('soft', CLING, reason='memory_limit', endings=(-9,), event='worker_memory_limit'),
    'silence': Kind('steady', FALL_SILENT, reason='watchdog', endings=(-6,), event='worker_watchdog'),
    # The stopped one gets to see its SIGABRT only if it is continued.
    'SIGSTOP': Kind(
        'steady', signals=(signal.SIGSTOP,), reason='watchdog', endings=(-6, -9), event='worker_watchdog'),
    'full disk': Kind('files', PRINT, reason='failed', endings=(98,)),
    'chatter': Kind('steady', CHATTER),
    'print': Kind('prints', PRINT),
}
# Some are worth more than others, and some burden the machine for long.
WEIGHTS = {'kill': 6, 'kill and rmdir': 3, 'flood': 3, 'leak': 3, 'chatter': 4, 'bomb': 1}


class Deeds:
    def __init__(self, pool, chance):
        self.pool, self.chance = pool, chance
        self.done = []
        self._doomed = set()
        self._killed_later = []
        self.cgroups_removed = 0

    def do_one(self):
        """Something, to some worker that nothing is to end yet."""
        names = list(KINDS)
        name = self.chance.choices(names, [WEIGHTS.get(name, 2) for name in names])[0]
        kind = KINDS[name]
        workers = [line for line in self.pool.workers(kind.group) if line.incarnation_key not in self._doomed]
        if not workers:
            return
        self._do(name, kind, self.chance.choice(workers))

    def _do(self, name, kind, line):
        if kind.reason:
            self._doomed.add(line.incarnation_key)
        deed = Deed(
            name, line.worker, line.incarnation, line.pid, time.monotonic(), kind.reason, kind.endings, kind.event)
        try:
            for number in kind.signals:
                os.kill(line.pid, number)
            if kind.value is not None and not machine.tell(line.pid, kind.value):
                return
        except ProcessLookupError:
            return
        self.done.append(deed)
        if kind.killed_after:
            self._killed_later.append((time.monotonic() + kind.killed_after, os.pidfd_open(line.pid)))
        if kind.removes_cgroup:
            self._remove(line)

    def _remove(self, line):
        """Takes the cgroup of a dying worker away, before the supervisor comes to it where that can be."""
        directory = f'/sys/fs/cgroup{line.cgroup}'
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            try:
                os.rmdir(directory)
                self.cgroups_removed += 1
                return
            except FileNotFoundError:
                return
            except OSError:
                pass  # not empty yet

    def go_on(self):
        """What is due of what was begun."""
        now = time.monotonic()
        for entry in [entry for entry in self._killed_later if entry[0] <= now]:
            self._killed_later.remove(entry)
            try:
                signal.pidfd_send_signal(entry[1], signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(entry[1])

    def end(self):
        """What was begun is brought to its end, each in its own time: a bomb must have burst."""
        while self._killed_later:
            time.sleep(max(0, min(due for due, _ in self._killed_later) - time.monotonic()))
            self.go_on()
