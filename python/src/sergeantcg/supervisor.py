"""The programmatic face of `sergeant.supervisor`, over the program `sergeantcg`."""
import logging
import os
import re
import signal
import sys
import threading
import traceback
import types
import typing

from . import _binary
from ._lines import Event, parse
from ._process import Process
from ._words import words


class SupervisedWorker:
    """A worker that runs."""

    def __init__(self, name: str, pid: int) -> None:
        #: As the program calls it: `crawl_worker-1`.
        self.name = name
        #: What of `subprocess.Popen` can be said of another's child: its `pid`.
        self.process = types.SimpleNamespace(pid=pid)

    @property
    def pid(self) -> int:
        return typing.cast(int, self.process.pid)

    def __repr__(self) -> str:
        return '<SupervisedWorker {} {}>'.format(self.name, self.pid)


class Supervisor:
    """Supervises a pool of `sergeant` workers; `start()` does it.

    :param worker_module_name: the worker's module, which the workers import from the working directory.
    :param worker_class_name: its class in there.
    :param concurrent_workers: how many; `'auto'` is the CPUs that may be used.
    :param max_worker_memory_usage: in bytes; a worker that holds more is recycled. None or 0 for no limit.
        Also as the program takes it: `'400M'`, `'10%'`.
    :param logger: is told everything; None for one named `Supervisor`, in upstream's format on standard error.
    :param binary: the program; None looks in `SERGEANTCG_BINARY`, then on the `PATH`.
    :param options: further options for the program, such as `['--memory-max', '512M']`.
    :raises BinaryNotFound: where the program is not there.
    """

    def __init__(
        self,
        worker_module_name: str,
        worker_class_name: str,
        concurrent_workers: typing.Union[int, str],
        max_worker_memory_usage: typing.Union[int, float, str, None] = None,
        logger: typing.Optional[logging.Logger] = None,
        *,
        binary: typing.Union[str, 'os.PathLike[str]', None] = None,
        options: typing.Sequence[str] = (),
    ) -> None:
        self.worker_module_name = worker_module_name
        self.worker_class_name = worker_class_name
        self.concurrent_workers = concurrent_workers
        self.max_worker_memory_usage = max_worker_memory_usage
        self.binary = _binary.find(binary)
        self.options = [os.fspath(option) for option in options]
        #: The `extra` of every record; what is added here is in each.
        self.extra_signature: typing.Dict[str, typing.Any] = {
            'supervisor': {
                'worker_module_name': worker_module_name,
                'worker_class_name': worker_class_name,
                'concurrent_workers': concurrent_workers,
                'max_worker_memory_usage': max_worker_memory_usage,
            },
        }
        self.logger: logging.Logger = logger if logger else _standard_logger()
        #: Those that run now.
        self.current_workers: typing.List[SupervisedWorker] = []

        self._has_started = False
        self._lock = threading.Lock()
        self._is_stopping = False
        self._owner = os.getpid()
        # Signals that came and are yet to be told of and passed on.
        self._pending: typing.List[int] = []
        self._said: typing.Optional[str] = None
        self._is_logger_broken = False
        # A pipe to ourselves: a handler and another thread can only wake the loop.
        self._wake_reading, self._wake_writing = os.pipe()
        os.set_blocking(self._wake_reading, False)
        os.set_blocking(self._wake_writing, False)

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.sigterm_handler)

    def __del__(self) -> None:
        for name in ('_wake_reading', '_wake_writing'):
            descriptor = self.__dict__.pop(name, None)
            if descriptor is not None:
                os.close(descriptor)

    # What a caller may do.

    def start(self) -> typing.NoReturn:
        """Supervises on this thread until all workers are stopped.

        :raises SystemExit: at the end, with the program's exit status: 0 stopped as asked, 1 the workers cannot
            run or nobody knows, 69 no usable cgroup, 64 a wrong option.
        """
        with self._lock:
            if self._has_started:
                raise RuntimeError('a supervisor starts once: make another')
            self._has_started = True
        handler = self._take_interrupts()
        try:
            if self._is_stopping or self._has_no_workers():
                self._tell_signals()
                self._log(logging.INFO, 'no more workers to supervise')
                self._log(logging.INFO, 'exiting...')
                status = 0
            else:
                status = self._supervise(Process(self.binary, self._arguments()))
        finally:
            if handler is not None:
                signal.signal(signal.SIGINT, handler)
        sys.exit(status)

    def stop(self) -> None:
        """Asks for a stop, from any thread: the workers get their signal, their time, and their end.

        `start()` ends when that is done. Before it, it starts nothing.
        """
        self._is_stopping = True
        self._wake()

    @property
    def stop_process_has_started(self) -> bool:
        """The workers are being stopped. Setting it is :meth:`stop`."""
        return self._is_stopping

    @stop_process_has_started.setter
    def stop_process_has_started(self, value: bool) -> None:
        if value:
            self.stop()

    def sigterm_handler(
        self,
        signal_num: int,
        frame: typing.Optional[types.FrameType],
    ) -> None:
        """What SIGTERM does; installed where this object is made on the main thread."""
        if os.getpid() != self._owner:
            # A forked child inherits the handler; the supervisor is its parent's.
            signal.signal(signal_num, signal.SIG_DFL)
            os.kill(os.getpid(), signal_num)
            return
        self._pending.append(signal_num)
        self.stop()

    # Parts.

    def _has_no_workers(self) -> bool:
        return isinstance(self.concurrent_workers, int) and self.concurrent_workers <= 0

    def _arguments(self) -> typing.List[str]:
        # The last one of an option holds, so that `options` can say otherwise.
        arguments = [
            '--log-format=json',
            '--log-level=' + ('debug' if self.logger.isEnabledFor(logging.DEBUG) else 'info'),
            '--name=' + _name(self.worker_module_name),
            '--python=' + (sys.executable or 'python3'),
            '--worker-module=' + self.worker_module_name,
            '--worker-class=' + self.worker_class_name,
            '--concurrent-workers={}'.format(self.concurrent_workers),
        ]
        limit = self.max_worker_memory_usage
        if limit:
            arguments.append('--max-worker-memory-usage={}'.format(
                limit if isinstance(limit, str) else int(limit)))
        return arguments + self.options

    def _supervise(self, process: Process) -> int:
        try:
            while True:
                try:
                    self._listen(process)
                    break
                except KeyboardInterrupt:
                    # From a handler that is not ours; it is passed on, and the end is waited for.
                    self._interrupt(signal.SIGINT, None)
            return self._ending(process.wait())
        except BaseException:
            # A caller's handler or the like. Nothing is left behind.
            process.send(signal.SIGTERM)
            try:
                self._listen(process)
            finally:
                process.wait()
            raise
        finally:
            process.close()

    def _listen(self, process: Process) -> None:
        has_asked = False
        for line in process.lines(self._wake_reading):
            if line is not None:
                self._take(line)
                continue
            self._drain_wake()
            for number in self._tell_signals():
                # SIGINT twice kills the workers, which SIGTERM never does.
                process.send(number)
                has_asked = True
            if self._is_stopping and not has_asked:
                process.send(signal.SIGTERM)
                has_asked = True

    def _tell_signals(self) -> typing.List[int]:
        numbers = []
        while self._pending:
            number = self._pending.pop(0)
            numbers.append(number)
            if number == signal.SIGTERM:
                self._log(logging.INFO, 'SIGTERM was received, triggering a stopping process')
        return numbers

    def _take(self, line: bytes) -> None:
        event = parse(line)
        if event is None:
            beginning = line[:200].decode('utf-8', 'backslashreplace')
            self._log(
                logging.WARNING,
                'sergeantcg wrote a line that is no line of its log: {}'.format(beginning),
                event={'event': 'unreadable_line', 'length': len(line)},
            )
            return
        self._said = event['event']
        self._count(event)
        for level, message, summary in words(event, self.worker_module_name, self.worker_class_name):
            self._log(level, message, summary, event)

    def _count(self, event: Event) -> None:
        name, worker, pid = event['event'], event.get('worker'), event.get('pid')
        if not isinstance(worker, str) or not isinstance(pid, int):
            return
        if name in ('worker_started', 'worker_adopted'):
            self.current_workers.append(SupervisedWorker(worker, pid))
        elif name == 'worker_exited':
            self.current_workers = [one for one in self.current_workers if one.pid != pid]

    def _ending(self, status: typing.Optional[int]) -> int:
        """The exit status; what the program's own log has not said of its end is said here."""
        self.current_workers = []
        has_said = self._said in ('supervisor_stopped', 'supervisor_failed')
        if status is None:
            self._log(
                logging.WARNING if has_said else logging.CRITICAL,
                'how sergeantcg ended is not known: another part of this program took its exit status '
                '(SIGCHLD is ignored, or a wait for any child)',
                event={'event': 'status_lost'},
            )
            return 0 if self._said == 'supervisor_stopped' else 1
        if status < 0:
            self._log(
                logging.CRITICAL,
                'sergeantcg was ended by signal {}: workers that it left are ended by the next start'.format(-status),
                event={'event': 'supervisor_died', 'signal': -status},
            )
            return 1
        if status != 0 and not has_said:
            self._log(
                logging.CRITICAL,
                'sergeantcg ended with exit status {}: what it said is on standard error'.format(status),
                event={'event': 'supervisor_died', 'exit_code': status},
            )
        return status

    def _log(
        self,
        level: int,
        message: str,
        summary: typing.Optional[typing.Dict[str, typing.Any]] = None,
        event: typing.Optional[Event] = None,
    ) -> None:
        extra = dict(self.extra_signature)
        if summary is not None:
            extra['summary'] = summary
        if event is not None:
            extra['sergeantcg'] = event
        try:
            self.logger.log(level, message, extra=extra)
        except Exception:
            # A log that cannot be written is no reason to stop supervising.
            if not self._is_logger_broken and logging.raiseExceptions and sys.stderr:
                traceback.print_exc(file=sys.stderr)
            self._is_logger_broken = True

    # Signals.

    def _take_interrupts(self) -> typing.Any:
        """Has SIGINT asked for a stop, where nobody has said what it does; the handler before, else None."""
        if threading.current_thread() is not threading.main_thread():
            return None
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return None
        return signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, signal_num: int, frame: typing.Optional[types.FrameType]) -> None:
        self._pending.append(signal_num)
        self.stop()

    def _wake(self) -> None:
        try:
            os.write(self._wake_writing, b'.')
        except BlockingIOError:
            pass  # It has been woken, and has not looked yet.

    def _drain_wake(self) -> None:
        try:
            while os.read(self._wake_reading, 1024):
                pass
        except BlockingIOError:
            pass


def _name(module: str) -> str:
    """The instance's name: the last part of the module's, as the program names a group."""
    return re.sub(r'[^A-Za-z0-9_-]', '-', module.rpartition('.')[2]) or 'default'


def _standard_logger() -> logging.Logger:
    logger = logging.getLogger('Supervisor')
    # Another supervisor in this program may have made it.
    if not any(getattr(handler, 'is_of_sergeantcg', False) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(
            fmt='%(asctime)s %(name)-12s %(process)d %(levelname)-8s %(message)s',
            datefmt='%Y-%m-%d %H:%M:%S',
        ))
        setattr(handler, 'is_of_sergeantcg', True)
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return logger
