"""What the workers of these tests have in common: a queue in a file, and a task to wake them."""
import os
import signal

import sergeant

INCARNATION = int(os.environ['SERGEANT_INCARNATION'])
IS_FIRST = INCARNATION == 1 and os.environ['SERGEANT_SLOT'] == '1'


class Worker(sergeant.worker.Worker):
    """Gives itself one task, and ends after it."""

    def generate_config(self):
        return sergeant.config.WorkerConfig(
            name='kernel_test',
            connector=sergeant.config.Connector(
                type='local',
                params={'file_path': os.path.join(os.environ['TEST_DIRECTORY'], 'queue-%d' % os.getpid())},
            ),
            max_tasks_per_run=1,
        )

    def initialize(self):
        self.push_task(kwargs={})


def note(name, line):
    """Appends a line to a file of the test's, whole."""
    with open(os.path.join(os.environ['TEST_DIRECTORY'], name), 'a') as notes:
        notes.write('%s\n' % line)


def wait():
    """Waits for the stop signal, whose handler raises."""
    while True:
        signal.pause()
