"""The processes of the demo, the broker and the supervisor, and what they leave behind."""
import os
import pathlib
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time

import redis

import plan

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = 'SERGEANTCG_DEMO_TOKEN'


class Broker:
    """A `redis-server` of our own: loopback, a password, nothing on disk."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        password = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        self.url = f'redis://:{password}@127.0.0.1:{port}/0'
        self.client = redis.Redis(host='127.0.0.1', port=port, password=password)
        configuration = (
            f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n'
            f'dir "{self.directory}"\nlogfile "{self.directory}/redis.log"\n'
        )
        self.process = subprocess.Popen(
            ['redis-server', '-'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        self.process.stdin.write(configuration)
        self.process.stdin.close()

    def wait(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.client.ping()
            except redis.ConnectionError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit('demo: redis-server did not start: ' + self._log())
                time.sleep(0.05)

    def ledger(self):
        """How often each task was done, and the task in the midst of each incarnation."""
        done, midst = self.client.pipeline().hgetall(plan.DONE).hgetall(plan.MIDST).execute()
        return (
            {int(number): int(count) for number, count in done.items()},
            {identity.decode(): int(number) for identity, number in midst.items()},
        )

    def end(self):
        self.process.terminate()
        self.process.wait()

    def _log(self):
        try:
            return (self.directory / 'redis.log').read_text().strip()[-500:]
        except OSError:
            return f'it exited with status {self.process.returncode}'


class Supervisor:
    """`sergeantcg`, and the lines it writes, through a queue that ends with None."""

    def __init__(self, program, broker_url):
        self.token = secrets.token_hex(16)
        self.lines = queue.Queue()
        self.command = [
            program, '--name=demo', '--worker-module=crawler', '--worker-class=Worker',
            f'--concurrent-workers={plan.WORKERS}',
            f'--max-worker-memory-usage={plan.RECYCLE_BYTES // plan.MEBIBYTE}M',
            f'--memory-max={plan.KILL_BYTES // plan.MEBIBYTE}M',
            f'--python={sys.executable}', '--log-format=json',
        ]
        self.process = subprocess.Popen(
            self.command, cwd=HERE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, TOKEN: self.token, plan.URL: broker_url},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def end(self):
        """Ends it if it still runs: only where the demo itself is cut short."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _read(self):
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put(None)

    def processes_left(self):
        """Every process that still has our environment, whoever its parent and whatever its session."""
        # In the midst of an exec a process has no environment for a moment: two looks.
        left = self._processes_seen()
        time.sleep(0.3)
        return sorted(left | self._processes_seen())

    def _processes_seen(self):
        mark = f'{TOKEN}={self.token}'.encode()
        seen = set()
        for directory in pathlib.Path('/proc').glob('[0-9]*'):
            try:
                if mark in (directory / 'environ').read_bytes().split(b'\0'):
                    command = (directory / 'cmdline').read_bytes().replace(b'\0', b' ')
                    seen.add(f'{directory.name} ({command.decode(errors="replace").strip()})')
            except OSError:
                continue
        return seen


class Cgroups:
    """The cgroups beneath our own."""

    def __init__(self):
        self.mount, root = self._mount()
        own = next(
            line[3:].rstrip('\n') for line in open('/proc/self/cgroup') if line.startswith('0::'))
        if root != '/':
            own = own[len(root):]
        self.own = self.mount / own.strip('/')
        self.before = self.list()

    def list(self):
        return {path for path, _, _ in os.walk(self.own)}

    def left(self):
        return sorted(str(path) for path in self.list() - self.before)

    @staticmethod
    def _mount():
        for line in open('/proc/self/mountinfo'):
            fields = line.split()
            if fields[fields.index('-') + 1] == 'cgroup2':
                return pathlib.Path(fields[4]), fields[3]
        raise SystemExit('demo: no cgroup2 is mounted; run it through scripts/demo')
