"""The supervisor under chaos: its configuration, its log as it comes, and the workers that live."""
import collections
import dataclasses
import datetime
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import machine

BACK_OFF = 0.05
WATCHDOG = 5
GRACE = 2


@dataclasses.dataclass
class Line:
    """A line of the log, with its time on the monotonic clock."""
    at: float
    fields: dict

    def __getattr__(self, name):
        return self.fields.get(name)

    @property
    def incarnation_key(self):
        return self.worker, self.incarnation


class Stream:
    """Reads lines from a descriptor on a thread of its own, and can be told to stop reading for a while."""

    def __init__(self, descriptor, take):
        self.reads = threading.Event()
        self.reads.set()
        self.ended = threading.Event()
        self._file = os.fdopen(descriptor, 'rb', buffering=0)
        self._take = take
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        # Who is read of in time is still there to be looked at.
        machine.prefer(0, -18)
        partial = b''
        while True:
            self.reads.wait()
            piece = self._file.read(65536)
            if not piece:
                break
            *lines, partial = (partial + piece).split(b'\n')
            for line in lines:
                self._take(line)
        self.ended.set()


class Pool:
    def __init__(self, program, worker, directory):
        self.program, self.worker, self.directory = program, worker, pathlib.Path(directory)
        self.ground = machine.make_ground()
        self.small_disk = self.directory / 'small'
        self.small_disk.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', self.small_disk], check=True)
        self.file = self.directory / 'pool.yaml'
        self.control = self.directory / 'control'
        self.lines, self.strays = [], []
        self.live = {}  # worker: line of its start
        self.moved = threading.Condition()
        # How far the wall clock is ahead of the monotonic one, with every value it has had.
        self.offsets = [machine.wall_clock_ahead()]

    # What runs.

    def write_configuration(self, limit='24M'):
        command = 'command: ' + json.dumps([str(self.worker), 'puppet'])
        self.file.write_text(f'''
name: chaos
control: {self.control}
defaults: {{backoff-initial: {BACK_OFF}, backoff-max: 0.4, stop-timeout: {GRACE}}}
groups:
  steady: {{{command}, concurrent-workers: 3, watchdog: {WATCHDOG}}}
  hard: {{{command}, concurrent-workers: 2, memory-max: 24M, pids-max: 24}}
  soft: {{{command}, concurrent-workers: 2, max-worker-memory-usage: {limit}}}
  prints: {{{command}, output: prefix}}
  files: {{{command}, output: {self.small_disk}/output}}
''')

    def start(self):
        self.write_configuration()
        log, log_end = os.pipe()
        output, output_end = os.pipe()
        words = [self.program, '--log-format', 'json', '--log-level', 'debug', '--config', str(self.file)]
        into = f'echo $$ >{self.ground}/cgroup.procs && exec "$@"'
        self.process = subprocess.Popen(
            ['/bin/sh', '-c', into, 'sh', *words], stdin=subprocess.DEVNULL, stdout=output_end, stderr=log_end)
        os.close(log_end)
        os.close(output_end)
        self.pid = self.process.pid
        self.log = Stream(log, self._take)
        # What they print is only to be taken.
        self.output = Stream(output, lambda line: None)
        self.wait_for('supervisor_ready')
        machine.prefer(self.pid, -19)

    def stop(self):
        """Its exit status, when all it printed is read."""
        self.process.terminate()
        status = self.process.wait(60)
        self.log.ended.wait(30)
        return status

    def clean_up(self):
        """Whatever happened: no process of it, no cgroup and no mount is left."""
        self.log.reads.set()
        (self.ground / 'cgroup.kill').write_text('1')
        self.process.wait(60)
        subprocess.run(['umount', self.small_disk], check=True)

    # What it says.

    def _take(self, text):
        try:
            fields = json.loads(text)
            # fromisoformat of Python before 3.11 knows no Z.
            stamp = time_of(fields['time'])
        except (ValueError, KeyError):
            self.strays.append(text.decode(errors='replace'))
            return
        with self.moved:
            # The steps are of an hour: just one of the offsets gives a time near the line before.
            before = self.lines[-1].at if self.lines else stamp - self.offsets[0]
            at = min((stamp - offset for offset in self.offsets), key=lambda value: abs(value - before))
            line = Line(at, fields)
            self.lines.append(line)
            if line.event in ('worker_started', 'worker_adopted'):
                self.live[line.incarnation_key] = line
            elif line.event == 'worker_exited':
                self.live.pop(line.incarnation_key, None)
            self.moved.notify_all()

    def wait_for(self, event, since=0, seconds=60):
        """The first such line from a position on."""
        end = time.monotonic() + seconds
        with self.moved:
            while True:
                for line in self.lines[since:]:
                    if line.event == event:
                        return line
                left = end - time.monotonic()
                if left <= 0 or (self.log.ended.is_set() and not self.moved.wait(0)):
                    raise machine.Missing(f'{event} did not come; the last that came\n' + '\n'.join(
                        json.dumps(line.fields) for line in self.lines[-20:]) + '\n' + '\n'.join(self.strays[-20:]))
                self.moved.wait(min(left, 1))

    def wait_until_calm(self, seconds, doomed=()):
        """Until every slot has just one worker, none of them stops or waits, none of the doomed lives (who was busy when
        it was told to end does so later), and the log was read as far; what the supervisor says of itself then, or None
        where the calm did not come."""
        end = time.monotonic() + seconds
        calm = None
        while time.monotonic() < end:
            status = self.status()
            if self.is_calm(status):
                calm = status
                if self.has_read(status) and not any(key in self.live for key in doomed):
                    break
            with self.moved:
                self.moved.wait(0.5)
        return calm

    def has_read(self, status):
        """The log says of the workers what the status says: it comes by another way, and later."""
        workers = {(worker['worker'], worker['incarnation']) for worker in workers_of(status)}
        with self.moved:
            return self.live.keys() == workers and self.ends_told() == ends_counted(status)

    def ends_told(self):
        """How many ends of each reason the log has told of."""
        return collections.Counter(line.reason for line in self.lines if line.event == 'worker_exited')

    def status(self):
        return self.call('io.sergeantcg.Supervisor.GetStatus')

    @staticmethod
    def is_calm(status):
        return len(workers_of(status)) == 9 and not restless(status)

    def step_clock(self, seconds):
        with self.moved:
            machine.step_clock(seconds)
            self.offsets.append(self.offsets[-1] + seconds)

    def workers(self, group=None):
        """The lines that started those who live, each once it does what it is told."""
        with self.moved:
            found = [line for line in self.live.values() if group in (None, line.group)]
        return [line for line in found if machine.listens(line.pid)]

    # What it is asked.

    def call(self, method, seconds=30, **parameters):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self.control))
            return ask(connection, method, **parameters)


def ask(connection, method, **parameters):
    connection.sendall(json.dumps({'method': method, 'parameters': parameters}).encode() + b'\0')
    answer = b''
    while not answer.endswith(b'\0'):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError(f'{method} was not answered')
        answer += piece
    answer = json.loads(answer[:-1])
    if 'error' in answer:
        raise RuntimeError(f'{method}: {answer}')
    return answer.get('parameters', {})


def workers_of(status):
    return [worker for group in status['groups'] for worker in group['workers']]


def restless(status):
    return [worker for worker in workers_of(status) if worker['state'] != 'ready']


def ends_counted(status):
    """How many ends of each reason the status counts."""
    counted = collections.Counter()
    for worker in workers_of(status):
        counted.update(worker['restarts'])
    counted.pop('total', None)
    return counted


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()
