"""What is done to the supervisor's surroundings, each for a while, and undone again."""
import dataclasses
import json
import os
import resource
import signal
import socket
import threading
import time

import machine


LIMITS = {'exhaust descriptors', 'forbid descriptors'}


@dataclasses.dataclass
class Spell:
    """One of them, from when to when."""
    kind: str
    begin: float
    end: float = None
    group: str = None


class Surroundings:
    def __init__(self, pool, chance):
        self.pool, self.chance = pool, chance
        self.spells = []
        self.refusals = []
        self._undo = []  # (due, spell, function)
        self._calls = []

    def do_one(self):
        kinds = [
            self.exhaust_descriptors, self.forbid_descriptors, self.freeze_worker, self.freeze_group, self.step_clock, self.stop_reading_log,
            self.stop_reading_output, self.abuse_control, self.reload, self.roll, self.upgrade,
        ]
        kind = self.chance.choice(kinds)
        name = kind.__name__.replace('_', ' ')
        under_way = {spell.kind for spell in self.spells if spell.end is None}
        # One at a time that takes descriptors: what it undoes is what it found. And none from an image that is just
        # beginning: it could only give up.
        if name in under_way or (name in LIMITS and under_way & {*LIMITS, 'upgrade'}):
            return
        kind(name)

    def go_on(self, everything=False):
        now = time.monotonic()
        for entry in [entry for entry in self._undo if everything or entry[0] <= now]:
            self._undo.remove(entry)
            entry[2]()
            entry[1].end = time.monotonic()
        for call in [call for call in self._calls if not call.is_alive()]:
            self._calls.remove(call)

    def end(self):
        self.go_on(everything=True)
        for call in self._calls:
            call.join(120)

    def _begin(self, kind, seconds, undo, group=None):
        spell = Spell(kind, time.monotonic(), group=group)
        self.spells.append(spell)
        self._undo.append((spell.begin + seconds, spell, undo))
        return spell

    # Each of them.

    def _limit(self, name, least):
        before = resource.prlimit(self.pool.pid, resource.RLIMIT_NOFILE)
        self._begin(
            name, self.chance.uniform(0.5, 2),
            lambda: resource.prlimit(self.pool.pid, resource.RLIMIT_NOFILE, before))
        resource.prlimit(self.pool.pid, resource.RLIMIT_NOFILE, (least, before[1]))

    def exhaust_descriptors(self, name):
        """Hardly one is left, as by a leak elsewhere."""
        _, highest = machine.descriptors(self.pool.pid)
        self._limit(name, highest + self.chance.randint(1, 3))

    def forbid_descriptors(self, name):
        """None can be opened, nor one in the place of another that is closed."""
        self._limit(name, 3)

    def _freeze(self, name, directory, group):
        def write(value):
            try:
                with open(f'{directory}/cgroup.freeze', 'w') as file:
                    file.write(value)
            except OSError:
                pass  # gone meanwhile

        self._begin(name, self.chance.uniform(0.2, 1.5), lambda: write('0'), group)
        write('1')

    def freeze_worker(self, name):
        workers = self.pool.workers()
        if workers:
            line = self.chance.choice(workers)
            self._freeze(name, f'/sys/fs/cgroup{line.cgroup}', line.group)

    def freeze_group(self, name):
        group = self.chance.choice(['steady', 'hard', 'soft'])
        self._freeze(name, f'{self.pool.ground}/{group}', group)

    def step_clock(self, name):
        self.spells.append(Spell(name, time.monotonic(), time.monotonic()))
        self.pool.step_clock(self.chance.choice([3600, -3600, 7200, -7200]))

    def stop_reading_log(self, name):
        self.pool.log.reads.clear()
        self._begin(name, self.chance.uniform(1, 5), self.pool.log.reads.set)

    def stop_reading_output(self, name):
        self.pool.output.reads.clear()
        self._begin(name, self.chance.uniform(1, 5), self.pool.output.reads.set)

    def abuse_control(self, name):
        connections = []
        for number in range(40):
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            try:
                connection.connect(str(self.pool.control))
                connection.send(self.chance.choice([
                    b'', b'{"method":', b'\0\0\0', os.urandom(2000), b'{' * 60000, b'[' * 9000 + b'\0',
                    json.dumps({'method': 'io.sergeantcg.Supervisor.GetStatus'}).encode() + b'\0',
                    b'{"method":"io.sergeantcg.Supervisor.Nothing"}\0' * 200,
                ]))
            except OSError:
                pass  # refused, cut off, or full: its own affair
            connections.append(connection)

        def undo():
            for connection in connections:
                connection.close()

        self._begin(name, self.chance.uniform(0.5, 3), undo)

    def reload(self, name):
        self.spells.append(Spell(name, time.monotonic(), time.monotonic()))
        self.pool.write_configuration(limit=self.chance.choice(['24M', '23M', '25M']))
        os.kill(self.pool.pid, signal.SIGHUP)

    def _call(self, name, method, **parameters):
        spell = Spell(name, time.monotonic())
        self.spells.append(spell)

        def wait():
            try:
                self.pool.call(method, seconds=100, **parameters)
            except (OSError, RuntimeError) as error:
                self.refusals.append(f'{name}: {error}')
            spell.end = time.monotonic()

        call = threading.Thread(target=wait, daemon=True)
        call.start()
        self._calls.append(call)

    def roll(self, name):
        self._call(
            name, 'io.sergeantcg.Supervisor.Restart',
            target=self.chance.choice(['steady', 'soft', 'prints', 'hard-1', 'steady-2']))

    def upgrade(self, name):
        self._call(name, 'io.sergeantcg.Supervisor.Upgrade')
