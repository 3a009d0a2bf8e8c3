"""What the kernel is asked and told: cgroups, priorities, clocks, signals with a value."""
import ctypes
import os
import pathlib
import signal
import struct
import time

_libc = ctypes.CDLL(None, use_errno=True)


class Missing(Exception):
    """The run cannot begin; one sentence that says what is missing."""


def own_cgroup():
    """The directory of the cgroup this process is in."""
    own = next(line[3:].strip() for line in open('/proc/self/cgroup') if line.startswith('0::'))
    for line in open('/proc/self/mountinfo'):
        head, _, tail = line.partition(' - ')
        if tail.split()[0] == 'cgroup2':
            root, mount_point = head.split()[3:5]
            return pathlib.Path(mount_point + (own if root == '/' else own.removeprefix(root)).rstrip('/'))
    raise Missing('no cgroup2 is mounted')


def make_ground():
    """Moves this process into a leaf, and makes a cgroup with controllers beside it for the supervisor."""
    own = own_cgroup()
    offered = (own / 'cgroup.controllers').read_text().split()
    if lacking := {'memory', 'pids'} - set(offered):
        raise Missing(f'{own}/cgroup.controllers lacks {", ".join(sorted(lacking))}: scripts/in-cgroup2 finds a kernel')
    leaf, ground = own / 'chaos', own / 'ground'
    leaf.mkdir()
    ground.mkdir()
    (leaf / 'cgroup.procs').write_text('0')
    for controller in ['memory', 'pids']:
        (own / 'cgroup.subtree_control').write_text(f'+{controller}')
    return ground


class DirectoryWatch:
    """Tells of directories that are made in others: inotify(7)."""

    CREATED, IS_DIRECTORY = 0x100, 0x40000000

    def __init__(self, directories):
        self._descriptor = _libc.inotify_init1(os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), 'cannot watch anything')
        self._watched = {}
        for directory in directories:
            number = _libc.inotify_add_watch(self._descriptor, bytes(directory), self.CREATED)
            if number < 0:
                raise OSError(ctypes.get_errno(), f'cannot watch {directory}')
            self._watched[number] = directory

    def fileno(self):
        return self._descriptor

    def made(self):
        """Those made since, of which it was told."""
        records, at, found = os.read(self._descriptor, 65536), 0, []
        while at < len(records):
            number, mask, _, length = struct.unpack_from('iIII', records, at)
            name = records[at + 16:at + 16 + length].rstrip(b'\0').decode()
            if mask & self.IS_DIRECTORY:
                found.append(self._watched[number] / name)
            at += 16 + length
        return found


def cgroups_below(directory):
    return sorted(os.path.relpath(path, directory) for path, _, _ in os.walk(directory) if path != str(directory))


def prefer(pid, nice):
    """Runs before others that want to, so that the time it takes is its own; its children are as others. (No real-time
    policy: in a cgroup of their own some kernels refuse it.)"""
    os.sched_setscheduler(pid, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, pid, nice)


def tell(pid, value):
    """Sends SIGRTMIN with a value (sigqueue(3)). False where there is no such process any more."""
    if _libc.sigqueue(pid, signal.SIGRTMIN, ctypes.c_void_p(value)) == 0:
        return True
    error = ctypes.get_errno()
    if error == 3:  # ESRCH
        return False
    raise OSError(error, os.strerror(error))


def listens(pid):
    """A puppet takes this name once it does what it is told."""
    try:
        return pathlib.Path(f'/proc/{pid}/comm').read_text() == 'puppet\n'
    except OSError:
        return False


def wall_clock_ahead():
    """How far the wall clock is ahead of the monotonic one, from the two that were read in the shortest time."""
    def once():
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        return after - before, wall - (before + after) / 2
    return min(once() for _ in range(20))[1]


def step_clock(seconds):
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds)


def descriptors(pid):
    """What is open, by kind, and the highest number."""
    kinds, highest = {}, 0
    for entry in os.scandir(f'/proc/{pid}/fd'):
        try:
            kind = os.readlink(entry.path)
        except OSError:
            continue
        highest = max(highest, int(entry.name))
        if kind.startswith('/sys/fs/cgroup'):
            kind = 'cgroup'
        kind = kind.split(':[')[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds, highest


def processes(cgroup):
    """What runs in a cgroup: PID, name, state, and where in the kernel it waits."""
    def described(pid):
        name, _, fields = pathlib.Path(f'/proc/{pid}/stat').read_text().partition('(')[2].rpartition(')')
        return f'{pid} {name} {fields.split()[0]} {pathlib.Path(f"/proc/{pid}/wchan").read_text()}'

    try:
        events = pathlib.Path(cgroup, 'cgroup.events').read_text().split()
        return [described(pid) for pid in pathlib.Path(cgroup, 'cgroup.procs').read_text().split()] + events
    except OSError as error:
        return [str(error)]


def private_dirty(pid):
    """In kB, after what has not been written to the disk was."""
    os.sync()
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith('Private_Dirty:'))


def children(pid):
    """The states of its children, zombies (Z) included, by PID."""
    found = {}
    for entry in os.scandir('/proc'):
        if entry.name.isdigit():
            try:
                fields = pathlib.Path(entry.path, 'stat').read_text().rpartition(')')[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found[int(entry.name)] = fields[0]
    return found
