"""Where a step of the hour takes place: a cgroup and a directory of its own, and what is left in them."""
import os
import pathlib
import select
import shutil
import tempfile
import time

from transcript import Unexpected

MARK = 'NEWCOMERS_HOUR'
DELEGATE = pathlib.Path('/sys/kernel/cgroup/delegate')


def hierarchy():
    """Where cgroup2 is mounted, and the directory of our own cgroup in it."""
    own = next(line[3:].strip() for line in open('/proc/self/cgroup') if line.startswith('0::'))
    for line in open('/proc/self/mountinfo'):
        head, _, tail = line.partition(' - ')
        if tail.split()[0] == 'cgroup2':
            root, mount_point = head.split()[3:5]
            inside = own if root == '/' else own.removeprefix(root)
            return pathlib.Path(mount_point), pathlib.Path(mount_point + inside.rstrip('/'))
    raise SystemExit('hour: no cgroup2 is mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup')


def write(path, value):
    with open(path, 'w') as file:
        file.write(str(value))


def processes(cgroup):
    """The PIDs in a cgroup and all beneath it."""
    found = []
    for directory, _, _ in os.walk(cgroup):
        try:
            found += [int(line) for line in open(f'{directory}/cgroup.procs')]
        except OSError:
            pass  # removed meanwhile
    return found


def children(cgroup):
    """The paths of the cgroups beneath one, relative to it."""
    return sorted(
        os.path.relpath(os.path.join(directory, name), cgroup)
        for directory, names, _ in os.walk(cgroup) for name in names)


def wait_until_empty(cgroup, seconds):
    """Waits on cgroup.events, which polls as POLLPRI when it changes; whether it came to be empty."""
    end = time.monotonic() + seconds
    with open(f'{cgroup}/cgroup.events') as events:
        changes = select.poll()
        changes.register(events, select.POLLPRI)
        while True:
            events.seek(0)
            if 'populated 0' in events.read():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            changes.poll(left * 1000)


class Hour:
    """The cgroup and the directory beneath which every step has its own."""

    def __init__(self, program):
        self.mount, own = hierarchy()
        self.identity = f'hour-{os.getpid()}'
        self.is_in_hierarchy_root = not (own / 'cgroup.events').exists()
        self._moved = None
        if not self.is_in_hierarchy_root:
            # A cgroup with processes cannot give controllers to its children.
            self._moved = own / f'{self.identity}-leaf'
            self._moved.mkdir()
            for pid in (own / 'cgroup.procs').read_text().split():
                write(self._moved / 'cgroup.procs', pid)
        self.base = own
        self.controllers = (own / 'cgroup.controllers').read_text().split()
        for controller in self.controllers:
            if controller in ('cpu', 'io', 'memory', 'pids'):
                write(own / 'cgroup.subtree_control', f'+{controller}')
        self.cgroup = own / self.identity
        self.cgroup.mkdir()
        for controller in (self.cgroup / 'cgroup.controllers').read_text().split():
            write(self.cgroup / 'cgroup.subtree_control', f'+{controller}')
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='newcomers-hour.'))
        self.directory.chmod(0o755)
        (self.directory / 'bin').mkdir()
        # A copy, so that an ordinary user can run it wherever the checkout is.
        shutil.copy(program, self.directory / 'bin' / 'sergeantcg')

    def end(self):
        os.rmdir(self.cgroup)
        shutil.rmtree(self.directory)
        if self._moved:
            for controller in (self.base / 'cgroup.subtree_control').read_text().split():
                write(self.base / 'cgroup.subtree_control', f'-{controller}')
            for pid in (self._moved / 'cgroup.procs').read_text().split():
                write(self.base / 'cgroup.procs', pid)
            self._moved.rmdir()


class Place:
    """A step's cgroup, which holds its shells, and its directories: work, home, tmp and run."""

    def __init__(self, hour, name, *, in_root=False):
        self.hour = hour
        self.cgroup = hour.cgroup / name
        self.cgroup.mkdir()
        self.start = hour.mount if in_root else self.cgroup
        self.directory = hour.directory / name
        self.directory.mkdir()
        self.mark = f'{hour.identity}-{name}'
        for part in ('work', 'home', 'tmp', 'run'):
            (self.directory / part).mkdir()
            (self.directory / part).chmod(0o777)
        self.work = self.directory / 'work'
        self._files = set()

    def environment(self):
        return {
            'PATH': f"{self.hour.directory}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            'HOME': str(self.directory / 'home'), 'TMPDIR': str(self.directory / 'tmp'),
            'XDG_RUNTIME_DIR': str(self.directory / 'run'), 'LANG': 'C.UTF-8', MARK: self.mark,
        }

    def file(self, name, text, mode=0o755):
        path = self.work / name
        path.write_text(text)
        path.chmod(mode)
        self._files.add(name)
        return path

    def expect_file(self, name):
        """The step itself makes this one."""
        self._files.add(name)

    def delegate_to(self, uid):
        """What root does for an ordinary user (cgroup_namespaces, Documentation/admin-guide/cgroup-v2.rst)."""
        os.chown(self.cgroup, uid, uid)
        for name in DELEGATE.read_text().split():
            if (self.cgroup / name).exists():
                os.chown(self.cgroup / name, uid, uid)

    def marked(self):
        """Processes that come from this step, wherever they are now."""
        wanted = f'{MARK}={self.mark}'.encode()
        found = []
        for entry in os.listdir('/proc'):
            if not entry.isdigit():
                continue
            try:
                with open(f'/proc/{entry}/environ', 'rb') as environment:
                    if wanted in environment.read().split(b'\0'):
                        found.append(int(entry))
            except OSError:
                pass  # ended meanwhile
        return found

    def expect_nothing_left(self, seconds):
        """After all shells have ended: no process, no cgroup and no file but those the step made."""
        faults = []
        if not wait_until_empty(self.cgroup, seconds):
            faults.append(f'processes were left in {self.cgroup}: {describe(processes(self.cgroup))}')
        left = [pid for pid in self.marked() if not is_zombie(pid)]
        if left:
            faults.append(f'processes were left: {describe(left)}')
        if cgroups := children(self.cgroup):
            faults.append(f"cgroups were left in {self.cgroup}: {' '.join(cgroups)}")
        files = {os.path.relpath(path, self.work) for path in self.work.iterdir()} - self._files
        for part in ('home', 'tmp', 'run'):
            files |= {f'{part}/{path.name}' for path in (self.directory / part).iterdir()}
        if files:
            faults.append(f"files were left: {' '.join(sorted(files))}")
        if faults:
            raise Unexpected('; '.join(faults))

    def clear(self):
        """Removes everything, whatever happened."""
        for pid in self.marked():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        write(self.cgroup / 'cgroup.kill', 1)
        wait_until_empty(self.cgroup, 10)
        for name in reversed(children(self.cgroup)):
            os.rmdir(self.cgroup / name)
        self.cgroup.rmdir()
        shutil.rmtree(self.directory)


def is_zombie(pid):
    try:
        return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True


def describe(pids):
    words = []
    for pid in pids:
        try:
            line = open(f'/proc/{pid}/cmdline').read().replace('\0', ' ').strip()
        except OSError:
            line = '?'
        words.append(f'{pid} ({line})')
    return ', '.join(words)
