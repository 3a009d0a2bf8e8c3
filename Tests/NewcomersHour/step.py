"""What a step of the hour has at hand."""
import os
import re
import select
import subprocess
import time

from place import processes
from terminal import PATIENCE, Terminal
from transcript import Unexpected

STEPS = []

POLITE = """#!/bin/sh
trap 'kill -KILL $!; wait; echo "polite $$ finishes its work"; exit 0' TERM
sleep infinity &
echo "polite $$ works"
wait
"""
STUBBORN = """#!/bin/sh
trap '' TERM
echo "stubborn $$ works"
exec sleep infinity
"""


def step(title, **conditions):
    """Registers a function of a ``Step`` under what a person would call it.

    `in_root`: it takes place in the hierarchy's real root, and is left out where we are not in it.
    """
    def register(function):
        STEPS.append((title, function, conditions))
        return function
    return register


class Step:
    def __init__(self, place, transcript):
        self.place = place
        self.transcript = transcript
        self.terminals = []

    def terminal(self, name='A', *, user=None, cgroup=None, wrapper=(), **size):
        """Opens a terminal; as this user ID, else as root."""
        if user is not None:
            wrapper = ['setpriv', '--reuid', str(user), '--regid', str(user), '--clear-groups', *wrapper]
        opened = Terminal(
            name, self.transcript, cgroup=cgroup or self.place.start, directory=self.place.work,
            environment=self.place.environment(), wrapper=wrapper, **size)
        self.terminals.append(opened)
        return opened

    def worker(self, text=POLITE, name='worker'):
        return self.place.file(name, text)

    def remark(self, text):
        self.transcript.remark(text)

    def expect(self, condition, sentence):
        if not condition:
            raise Unexpected(sentence)

    def expect_equal(self, value, expected, what):
        if value != expected:
            raise Unexpected(f'{what} is {value!r}, expected {expected!r}')

    def supervisor(self, terminal):
        """The PID of the supervisor that now says it is at work."""
        return int(terminal.wait(r'Supervisor +(\d+) INFO +sergeantcg \S+ supervises in')[1])

    def workers(self, terminal, count):
        """The PIDs of so many workers as they are started."""
        return [int(terminal.wait(r'spawned a new worker at pid: (\d+)')[1]) for _ in range(count)]

    def all_ready(self, terminal):
        terminal.wait('all workers are ready')

    def wait_for_end(self, pid, seconds=PATIENCE):
        """Waits until a process that is not our child has ended."""
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if not select.select([pidfd], [], [], seconds)[0]:
                raise Unexpected(f'process {pid} still runs after {seconds} s')
        finally:
            os.close(pidfd)

    def wait_for_processes(self, cgroup, count):
        """Looks until so many are in it: the kernel tells nobody when one comes."""
        end = time.monotonic() + PATIENCE
        while len(processes(cgroup)) < count:
            if time.monotonic() > end:
                raise Unexpected(f'there are never {count} processes in {cgroup}')

    def refused(self, terminal, line, status, *patterns):
        """A command line that is refused, in one sentence that says these things."""
        shown = terminal.run(line, status)
        self.expect_sentence(shown, *patterns)
        return shown

    def expect_sentence(self, shown, *patterns):
        lines = shown.rstrip('\n').split('\n')
        self.expect(
            len(lines) == 1 and re.match(r'sergeantcg: \S', lines[0]),
            f'one sentence was expected, there are {len(lines)} lines')
        for pattern in patterns:
            self.expect(re.search(pattern, lines[0]), f'the sentence does not say /{pattern}/: {lines[0]}')

    def help_options(self):
        """The long options of `run --help` and what each takes, None for a flag."""
        shown = subprocess.run(
            [f'{self.place.hour.directory}/bin/sergeantcg', 'run', '--help'], capture_output=True, text=True,
            env=self.place.environment(), check=True).stdout
        found = re.findall(r'^  (?:-\w, )?--([a-z-]+)(?: <([^>]*)>)?', shown, re.M)
        return {option: takes or None for option, takes in found}
