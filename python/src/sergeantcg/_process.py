"""The running program: its log on a pipe of its own, its end, and the signals it is sent."""
import collections
import os
import select
import signal
import subprocess
import typing

from ._lines import LineReader

_CHUNK = 64 << 10


class Process:
    """The program as a child of this thread.

    It ends with this process, whatever ends that one (`--stop-with-parent`), and is in a session of its own, so
    that a Ctrl-C at the terminal is this process's to pass on. Its status is waited for by its own number, and
    no other child is.
    """

    def __init__(self, binary: str, arguments: typing.Sequence[str]) -> None:
        # Close-on-exec, both: the program is handed the one by number, other children none.
        self._log, log = os.pipe()
        try:
            command = [
                binary, 'run', '--log-fd', str(log), '--stop-with-parent', str(os.getpid()), *arguments,
            ]
            self._popen = subprocess.Popen(command, pass_fds=(log,), start_new_session=True)
        except BaseException:
            os.close(self._log)
            raise
        finally:
            os.close(log)
        self.pid = self._popen.pid
        self._pidfd: typing.Optional[int] = None
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            pass  # It has ended, and somebody else, or nobody (SIGCHLD ignored), has taken its status.
        self._lines = LineReader()
        # Whole lines: an interruption of who takes them loses none.
        self._queue: typing.Deque[bytes] = collections.deque()
        self._is_open = True
        self._is_lost = False
        self._poll = select.poll()
        os.set_blocking(self._log, False)
        self._poll.register(self._log, select.POLLIN)
        if self._pidfd is not None:
            self._poll.register(self._pidfd, select.POLLIN)

    def send(self, number: int) -> None:
        """Sends a signal; nothing where it has ended. From any thread, and from a handler."""
        pidfd = self._pidfd
        if pidfd is None:
            return
        try:
            signal.pidfd_send_signal(pidfd, number)
        except (ProcessLookupError, OSError):
            pass

    def lines(self, wake: int) -> typing.Iterator[typing.Optional[bytes]]:
        """The lines of its log, as they come, until it has ended; None for each wake-up.

        :param wake: a descriptor whose readiness is a wake-up; it is the caller's to read.
        """
        self._poll.register(wake, select.POLLIN)
        ended = self._pidfd is None
        while self._is_open or not ended:
            while self._queue:
                yield self._queue.popleft()
            # Its end is not the log's: what it wrote last is still in the pipe.
            events = dict(self._poll.poll(0 if ended else None))
            if wake in events:
                yield None
            if self._pidfd is not None and self._pidfd in events:
                ended = True
            if self._log in events:
                self._read()
            elif ended:
                # The pipe may be held open by a copy of this process (a fork): nothing more comes of it.
                break
        rest = self._lines.finish()
        if rest is not None:
            self._queue.append(rest)
        while self._queue:
            yield self._queue.popleft()

    def _read(self) -> None:
        try:
            data = os.read(self._log, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._is_open = False
            self._poll.unregister(self._log)
            return
        self._queue.extend(self._lines.feed(data))

    def wait(self) -> typing.Optional[int]:
        """Its exit status, below zero for a signal; None where somebody else has taken it."""
        if self._popen.returncode is None:
            # Not by Popen, which takes a status that was stolen for a 0.
            try:
                end = os.waitid(os.P_PID, self.pid, os.WEXITED)
            except ChildProcessError:
                end = None
            if end is None:
                self._is_lost = True
                self._popen.returncode = 0  # It is not asked for again.
            elif end.si_code == os.CLD_EXITED:
                self._popen.returncode = end.si_status
            else:
                self._popen.returncode = -end.si_status
        return None if self._is_lost else self._popen.returncode

    def close(self) -> None:
        """Gives the descriptors back; the program is not looked after any more."""
        pidfd, self._pidfd = self._pidfd, None
        for descriptor in (self._log, pidfd):
            if descriptor is not None:
                os.close(descriptor)
