"""Workers for the tests of the package. The first one in a directory does it, all others wait."""
import mmap
import os
import signal
import sys
import time

import sergeant

DIRECTORY = os.environ['TEST_DIRECTORY']


def is_first():
    try:
        os.close(os.open(os.path.join(DIRECTORY, 'first'), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def note(name, line):
    with open(os.path.join(DIRECTORY, name), 'a') as notes:
        notes.write('%s\n' % line)


def wait():
    os.write(1, b'waiting\n')  # At once, whatever buffers there are: a signal may follow.
    while True:
        time.sleep(0.1)  # Not pause(2): a signal just before it would be slept over.


class Waits(sergeant.worker.Worker):
    """Works at one task until it is told to stop."""

    def generate_config(self):
        return sergeant.config.WorkerConfig(
            name='python_test',
            connector=sergeant.config.Connector(
                type='local', params={'file_path': os.path.join(DIRECTORY, 'queue-%d' % os.getpid())},
            ),
            max_tasks_per_run=1,
        )

    def initialize(self):
        self.is_first = is_first()
        if self.is_first:
            self.begin()
        self.push_task(kwargs={})

    def work(self, task):
        if self.is_first:
            self.act()
        else:
            wait()

    def finalize(self):
        if self.is_first:
            self.end()

    def begin(self):
        pass

    def act(self):
        wait()

    def end(self):
        pass


class Succeeds(Waits):
    def act(self):
        pass


class FailsInInitialize(Waits):
    def begin(self):
        raise ValueError('some exception, 100 %s sure')


class FailsInFinalize(Succeeds):
    def end(self):
        raise ValueError('some exception in finalize')


class FailsAbnormally(Waits):
    def init_worker(self):
        if is_first():
            raise Exception('some abnormal exception')
        super().init_worker()


class AsksToRespawn(Waits):
    def act(self):
        self.respawn()


class AsksToStop(Waits):
    def act(self):
        self.stop()


class IsKilled(Waits):
    def act(self):
        os.kill(os.getpid(), signal.SIGKILL)


class ExitsWithTwo(Waits):
    """What upstream takes for a module that is not there."""

    def act(self):
        sys.exit(2)


class SpeaksAtLength(Waits):
    def begin(self):
        raise Exception('x' * 1_000_000 + 'END')


class Prints(Waits):
    def act(self):
        print('a line on standard output', flush=True)
        # In one piece, unbuffered too: the log goes there as well.
        sys.stderr.write('a line on standard error\n')
        for number in os.listdir('/proc/self/fd'):
            if int(number) > 2 and os.path.lexists('/proc/self/fd/' + number):
                note('descriptors', os.readlink('/proc/self/fd/' + number).partition(':')[0])
        note('place', os.getcwd())
        note('variable', os.environ.get('TEST_VARIABLE'))
        super().act()


class CleansUp(Waits):
    def act(self):
        wait()

    def end(self):
        time.sleep(1)
        note('cleaned', os.getpid())


class IgnoresSignals(Waits):
    def act(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b'ignoring\n')
        while True:
            time.sleep(1000)


class Holds(Waits):
    """Takes memory, all at once, and keeps it."""

    def act(self):
        self.memory = mmap.mmap(
            -1, int(os.environ['TEST_HOLD']),
            flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
        wait()
