"""What a person sees while it runs: a line for each death, and on a terminal a bar that moves."""
import os
import sys
import time

import plan

WIDTH = 20
COLOURS = {'red': '\x1b[31m', 'yellow': '\x1b[33m', 'green': '\x1b[32m', 'bold': '\x1b[1m'}


def mebibytes(count):
    return 'unknown' if count is None else f'{count / plan.MEBIBYTE:.1f} MiB'


class View:
    def __init__(self, is_live):
        self.is_live = is_live
        self.has_colour = is_live and not os.environ.get('NO_COLOR')
        self.start = time.monotonic()
        self.bar = ''
        self.said = 0

    def say(self, text='', colour=None):
        """A line that stays."""
        if self.is_live and self.bar:
            sys.stdout.write('\r\x1b[K')
        sys.stdout.write(self.paint(text, colour) + '\n')
        if self.is_live and self.bar:
            sys.stdout.write(self.bar)
        sys.stdout.flush()

    def paint(self, text, colour):
        return f'{COLOURS[colour]}{text}\x1b[0m' if self.has_colour and colour else text

    def death(self, death, task):
        if death.reason == 'shutdown':
            return
        if death.is_oom_kill:
            what, colour = 'OOM-killed', 'red'
            detail = f'in the midst of task {task}' if task else 'with no task in its midst'
        elif death.is_recycle:
            what, colour = 'recycled', 'yellow'
            detail = 'its last task done'
        else:
            what, colour = death.reason, 'red'
            detail = death.message
        seconds = time.monotonic() - self.start
        self.say(
            f'{seconds:6.1f} s  {death.identity:<12} {what:<10}  peak {mebibytes(death.memory_peak):>9}'
            f'  {detail}', colour)

    def progress(self, done, history):
        tail = (
            f'{done}/{plan.TASKS} done  {len(history.recycles)} recycled  '
            f'{len(history.oom_kills)} OOM-killed  {len(history.alive)} workers'
        )
        if self.is_live:
            filled = WIDTH * done // plan.TASKS
            self.bar = f'[{"#" * filled}{"." * (WIDTH - filled)}] {tail}'
            sys.stdout.write('\r\x1b[K' + self.bar)
            sys.stdout.flush()
        elif done // 50 > self.said:
            self.said = done // 50
            self.say(f'{time.monotonic() - self.start:6.1f} s  {tail}')

    def end_progress(self):
        if self.is_live and self.bar:
            sys.stdout.write('\n')
        self.bar = ''
