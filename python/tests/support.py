"""What the tests have in common: a program that calls the package, seen from outside."""
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / 'src'
PATIENCE = int(os.environ.get("PYTHON_TEST_PATIENCE", 60))


class Caller:
    """`caller.py`, its records and its output."""

    def __init__(self, test, arguments, face='sergeantcg', environment=None, **wish):
        self.test = test
        reading, writing = os.pipe()
        errors, error_writing = os.pipe()
        output, output_writing = os.pipe()
        wish.update(face=face, arguments=arguments, records=writing)
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / 'caller.py'), json.dumps(wish)],
            pass_fds=(writing,), cwd=test.directory, stdin=subprocess.DEVNULL,
            stdout=output_writing, stderr=error_writing,
            env={
                **os.environ, 'PYTHONPATH': '{}:{}'.format(SOURCE, HERE / 'workers'),
                'PYTHONDONTWRITEBYTECODE': '1', 'TEST_DIRECTORY': str(test.directory), **(environment or {}),
            },
        )
        for descriptor in (writing, error_writing, output_writing):
            os.close(descriptor)
        self.streams = {reading: b'', errors: b'', output: b''}
        self.reading, self.errors, self.output = reading, errors, output
        self.open = set(self.streams)
        self.told = []
        test.addCleanup(self.clean)

    def clean(self):
        self.process.kill()
        self.process.wait()
        for descriptor in self.streams:
            os.close(descriptor)

    def _step(self, deadline, what):
        ready = select.select(list(self.open), [], [], max(0, deadline - time.monotonic()))[0]
        if not ready:
            self.test.fail('{} did not come; there came {}\n{}'.format(what, self.told, self.text(self.errors)))
        for descriptor in ready:
            data = os.read(descriptor, 1 << 16)
            if not data:
                self.open.discard(descriptor)
            self.streams[descriptor] += data
        *lines, self.streams[self.reading] = self.streams[self.reading].split(b'\n')
        self.told += map(json.loads, lines)

    def text(self, descriptor):
        return self.streams[descriptor].decode()

    @property
    def records(self):
        return [told for told in self.told if 'message' in told]

    def wait_for(self, what):
        """The first record whose message contains this, or for which this is true."""
        is_it = what if callable(what) else lambda told: what in told.get('message', '')
        deadline = time.monotonic() + PATIENCE
        looked = 0
        while True:
            while looked < len(self.told):
                if is_it(self.told[looked]):
                    return self.told[looked]
                looked += 1
            if not self.open:
                self.test.fail('{} never came; there came {}\n{}'.format(
                    what, self.told, self.text(self.errors)))
            self._step(deadline, what)

    def wait_for_output(self, words='waiting', times=1):
        """Until the workers have printed this so many times."""
        deadline = time.monotonic() + PATIENCE
        while self.text(self.output).count(words) < times:
            if self.output not in self.open:
                self.test.fail('no {} was printed\n{}\n{}'.format(
                    words, self.told, self.text(self.errors)))
            self._step(deadline, words)

    def wait_for_end(self):
        """Its exit status, below zero for a signal; all that it wrote has been read then."""
        deadline = time.monotonic() + PATIENCE
        while self.open:
            self._step(deadline, 'the end')
        return self.process.wait(PATIENCE)

    def send(self, number):
        self.process.send_signal(number)


class Watched:
    """A process that is not our child, watched by a descriptor."""

    def __init__(self, test, pid):
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        test.addCleanup(os.close, self.pidfd)

    def has_ended(self, patience=PATIENCE):
        return bool(select.select([self.pidfd], [], [], patience)[0])


class CallerTest(unittest.TestCase):
    """A test in a directory of its own, with an instance's name of its own."""

    maxDiff = None
    number = 0

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix='python-test-')
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        CallerTest.number += 1
        self.name = 'python-{}-{}'.format(os.getpid(), CallerTest.number)

    def call(self, worker='Waits', module='workers', count=1, limit=None, options=(), **wish):
        arguments = {
            'worker_module_name': module, 'worker_class_name': worker, 'concurrent_workers': count,
            'max_worker_memory_usage': limit,
        }
        if wish.get('face') != 'upstream':
            wish['options'] = {
                'options': ['--name', self.name, '--control', 'none', *options], **wish.pop('keywords', {})}
        return Caller(self, arguments, **wish)

    def supervisor_of(self, caller):
        """The program, as a child of the caller's."""
        children = [
            int(child)
            for task in pathlib.Path('/proc/{}/task'.format(caller.process.pid)).iterdir()
            for child in (task / 'children').read_text().split()
        ] if os.path.exists('/proc/self/task/{}/children'.format(os.getpid())) else [
            int(path.name) for path in pathlib.Path('/proc').iterdir()
            if path.name.isdigit() and parent_of(path) == caller.process.pid
        ]
        found = [child for child in children if 'sergeantcg' in os.readlink('/proc/{}/exe'.format(child))]
        self.assertEqual(len(found), 1, children)
        return Watched(self, found[0])

    def notes(self, name):
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []


def parent_of(path):
    try:
        return int((path / 'stat').read_text().rpartition(')')[2].split()[1])
    except (OSError, IndexError):
        return None
