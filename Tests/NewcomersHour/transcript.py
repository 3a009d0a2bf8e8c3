"""What is shown of the hour: every terminal as a person saw it, and what was expected of it."""
import sys


class Unexpected(Exception):
    """Something is not as a newcomer would have it."""


class Transcript:
    """Lines on stdout, in the order in which they happened."""

    def __init__(self, stream=sys.stdout):
        self._stream = stream

    def title(self, text):
        self._write(f'\n== {text}')

    def remark(self, text):
        self._write(f'   # {text}')

    def line(self, terminal, text):
        self._write(f'{terminal} | {text}'.rstrip())

    def failure(self, text):
        for line in str(text).split('\n'):
            self._write(f'!! {line}')

    def _write(self, line):
        print(line, file=self._stream, flush=True)
