"""A person at a terminal: a real pseudo-terminal, an interactive shell in it, and somebody who reads."""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from transcript import Unexpected

PATIENCE = 60  # seconds; a wait ends with its event, this is for a slow guest kernel
COLOURS = re.compile(r'\x1b\[[0-9;]*m')
UNFINISHED = re.compile(r'\x1b(\[[0-9;]*)?$')
KEYS = {'Ctrl-C': '\x03', 'Ctrl-\\': '\x1c', 'Ctrl-Z': '\x1a'}


class Terminal:
    """One terminal with `bash` in it. The prompt tells the exit status of the command before: `(0) A$ `."""

    def __init__(self, name, transcript, *, cgroup, directory, environment, wrapper=(), columns=80, rows=24):
        self.name = name
        self.transcript = transcript
        self.text = ''       # all that was shown, without colours
        self.had_colour = False
        self._typed = 0      # what was shown before is of the lines typed before
        self._cursors = {}   # for each pattern, up to where it was found
        self._told = 0       # up to here it is in the transcript
        self._rest = ''      # the start of an escape sequence
        self._decoder = codecs.getincrementaldecoder('utf-8')('backslashreplace')
        self._prompt = re.compile(r'(?:^|\n|\^[CZ\\])\((\d+)\) ' + re.escape(name) + r'\$ $')
        shell = ['bash', '--norc', '--noprofile', '--noediting', '-i', '+o', 'history']
        environment = dict(environment, PS1=f'($?) {name}$ ', TERM='xterm-256color')
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                with open(f'{cgroup}/cgroup.procs', 'w') as procs:
                    procs.write(str(os.getpid()))
                os.chdir(directory)
                os.execvpe(shell[0] if not wrapper else wrapper[0], [*wrapper, *shell], environment)
            finally:
                os._exit(127)
        os.set_inheritable(self.master, False)  # else the next terminal would hold this one open
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
        os.set_blocking(self.master, False)
        self.pidfd = os.pidfd_open(self.pid)
        self.prompt()

    # Typing

    def type(self, line):
        """A line and Return; does not wait for what it does."""
        self._typed = len(self.text)
        self._cursors = {}
        self.write(line + '\n')

    def press(self, key):
        self.write(KEYS[key])

    def write(self, text):
        waiting = text.encode()
        while waiting:
            select.select([], [self.master], [], PATIENCE)
            waiting = waiting[os.write(self.master, waiting):]

    def run(self, line, status=0):
        """Types a line, waits for the prompt, and answers with what was shown in between."""
        self.type(line)
        _, _, shown = self.prompt(status).partition('\n')
        return shown

    # Reading

    def wait(self, pattern, seconds=PATIENCE):
        """Waits until something is shown; its match. The same again waits for it once more.

        In which order different things come is not said by waiting for one after the other: a worker and
        its supervisor write to the terminal when they like.
        """
        start = self._cursors.get(pattern, self._typed)
        found = self._await(lambda: re.compile(pattern, re.M).search(self.text, start), seconds)
        if not found:
            raise Unexpected(f'terminal {self.name}: /{pattern}/ was not shown within {seconds} s')
        self._cursors[pattern] = found.end()
        return found

    def prompt(self, status=0, seconds=PATIENCE):
        """Waits for the prompt, which must tell this exit status; what was shown before it."""
        found = self._await(lambda: self._prompt.search(self.text, self._typed), seconds)
        if not found:
            raise Unexpected(f'terminal {self.name}: no prompt within {seconds} s')
        shown = self.text[self._typed:found.start()]
        self._typed = found.end()
        if status is not None and int(found[1]) != status:
            raise Unexpected(f'terminal {self.name}: exit status {found[1]}, expected {status}')
        return shown

    def wait_for_program(self, name):
        """Waits until the shell's child has become this program; before, a Ctrl-C is the shell's."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with open(f'/proc/{os.tcgetpgrp(self.master)}/comm') as comm:
                    if comm.read().strip() == name:
                        return
            except OSError:
                pass  # it ended meanwhile
            if time.monotonic() > end:
                raise Unexpected(f'terminal {self.name}: {name} was not started')

    def seconds_to_prompt(self, status=0):
        begin = time.monotonic()
        self.prompt(status)
        return time.monotonic() - begin

    def _await(self, condition, seconds):
        end = time.monotonic() + seconds
        while True:
            found = condition()
            left = end - time.monotonic()
            if found or left <= 0 or not self._read(left):
                self.tell()
                return found or condition()

    def _read(self, seconds):
        """Takes in what is shown; False where that was the last."""
        if self.master is None:
            return False
        readable, _, _ = select.select([self.master], [], [], seconds)
        if not readable:
            return True
        try:
            new = os.read(self.master, 65536)
        except BlockingIOError:
            return True
        except OSError:
            new = b''
        if not new:
            return False
        text = self._rest + self._decoder.decode(new)
        unfinished = UNFINISHED.search(text)
        self._rest = unfinished[0] if unfinished else ''
        whole = text.removesuffix(self._rest)
        if COLOURS.search(whole):
            self.had_colour = True
        self.text += COLOURS.sub('', whole).replace('\r\n', '\n')
        return True

    def tell(self, all_of_it=False):
        """Puts whole lines into the transcript."""
        end = len(self.text) if all_of_it else self.text.rfind('\n') + 1
        if end <= self._told:
            return
        for line in self.text[self._told:end].removesuffix('\n').split('\n'):
            self.transcript.line(self.name, line)
        self._told = end

    # The terminal itself

    def modes(self):
        """What stty(1) shows: to be the same before and after."""
        return termios.tcgetattr(self.master)

    def close(self):
        """Closes the window: whoever is in it gets SIGHUP."""
        if self.master is None:
            return
        self.tell(all_of_it=True)
        os.close(self.master)
        self.master = None

    def leave(self):
        """Closes the window, if it is open, and waits until the shell has ended."""
        self.close()
        if self.pid is None:
            return
        if not select.select([self.pidfd], [], [], PATIENCE)[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.pid = None
