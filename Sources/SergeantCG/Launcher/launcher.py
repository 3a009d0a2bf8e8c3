"""Runs one `sergeant` worker under sergeantcg and reports on it, a JSON message a line.

sergeantcg holds this text in itself and starts it as `python3 -c`, so it needs nothing installed but
the `sergeant` of that interpreter. Loading the worker and everything after it is done as
`python3 -m sergeant.slave` does; what that program says in a pickle, and what it does not say, is
said here as text over a stream socket. Python 3.8 or later.
"""
import argparse
import datetime
import importlib
import json
import math
import os
import signal
import socket
import sys
import threading
import traceback
import types


class ReportChannel:
    """The worker's end of the socket pair: whole lines, and from this one process alone."""

    def __init__(self, descriptor):
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._identity = self._current_identity()
        self._owner = os.getpid()
        os.register_at_fork(after_in_child=self._leave)

    def send(self, event, **fields):
        """Writes one message. A supervisor that is gone is no reason for a worker to fail."""
        if os.getpid() != self._owner:
            return
        line = json.dumps({'event': event, **fields}, allow_nan=False) + '\n'
        try:
            if self._current_identity() == self._identity:
                self._write(line.encode('ascii'))
        except OSError:
            pass

    def _write(self, line):
        # Not `os.write`: a worker may have given SIGPIPE its default action again.
        channel = socket.socket(fileno=self._descriptor)
        try:
            channel.setblocking(True)
            channel.sendall(line, socket.MSG_NOSIGNAL)
        finally:
            channel.detach()

    def _current_identity(self):
        # A worker may close every descriptor and open others in their place.
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def _leave(self):
        # A forked child that lives on must not hold the channel open after its parent's end.
        try:
            if self._current_identity() == self._identity:
                os.close(self._descriptor)
        except OSError:
            pass


def readable(text):
    """The text without lone surrogates, which JSON can write and strict readers refuse."""
    return text.encode('utf-8', 'backslashreplace').decode('utf-8')


def representation(value):
    """`repr`, even of a value whose own `__repr__` raises."""
    try:
        return readable(repr(value))
    except Exception as exception:
        return '<{} whose repr raised {}>'.format(type(value).__name__, type(exception).__name__)


def plain(value):
    """The value as JSON can say it; what JSON has no word for, as its `repr`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, int) and -2**63 <= value < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {
            plain(key) if isinstance(key, str) else representation(key): plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return representation(value)


def stacktrace_of(exception):
    try:
        return readable(''.join(
            traceback.format_exception(type(exception), exception, exception.__traceback__)
        ))
    except Exception as failure:
        return '<no stack trace: formatting it raised {}>'.format(type(failure).__name__)


class LoadFailure(Exception):
    """The worker's module or class cannot be had; its cause is what the import raised."""

    def __init__(self, return_code):
        super().__init__(return_code)
        self.return_code = return_code


def load(module_name, class_name, codes):
    """The worker's class, or `LoadFailure` with the code upstream gives to the same failure."""
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exception:
        raise LoadFailure(codes.WORKER_MODULE_NOT_FOUND.value) from exception
    except Exception as exception:
        raise LoadFailure(codes.WORKER_MODULE_NOT_IMPORTABLE.value) from exception

    try:
        return getattr(module, class_name)
    except AttributeError as exception:
        raise LoadFailure(codes.WORKER_CLASS_NOT_FOUND.value) from exception


def announce_readiness(worker, channel):
    """Reports `ready` once the worker's own `initialize` has returned.

    The hook is an attribute of this one object and is gone before `initialize` runs: the class, its
    module and, when tasks begin, the object are what they are under upstream.
    """
    attributes = getattr(worker, '__dict__', None)
    if not isinstance(attributes, dict) or not hasattr(worker, 'initialize'):
        return
    own = {key: attributes[key] for key in ('initialize',) if key in attributes}

    def initialize():
        del attributes['initialize']
        attributes.update(own)
        worker.initialize()
        channel.send('ready')

    attributes['initialize'] = initialize


def run(slave, worker_class, channel):
    """What upstream's `work` returns, a code and a summary, for a class already loaded."""
    def make_worker():
        del sys.modules[stand_in.__name__]
        worker = worker_class()
        announce_readiness(worker, channel)
        return worker

    # `work` takes names, not a class. It is given a module that makes the worker.
    stand_in = types.ModuleType('sergeantcg_worker')
    stand_in.make_worker = make_worker
    sys.modules[stand_in.__name__] = stand_in
    return slave.work(worker_module_name=stand_in.__name__, worker_class_name='make_worker')


def failure_in(summary):
    """The exception of a summary and its stack trace, as text; (None, None) without one."""
    if summary.get('exception') is not None:
        exception, stacktrace = summary['exception'], summary.get('stacktrace')
        return readable(str(exception)), None if stacktrace is None else readable(str(stacktrace))
    for key in ('initialize_exception', 'executor_exception', 'finalize_exception'):
        exception = summary.get(key)
        if exception is not None:
            return representation(exception), stacktrace_of(exception)
    return None, None


def finish(slave, channel, return_code, summary, exception, stacktrace):
    """Ends what still runs, reports, and ends this process as upstream does."""
    # The end has begun: a stop signal now could only cut the report short.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    # What stands beside it need not be said twice. As text, for the supervisor only passes it on.
    details = {key: value for key, value in summary.items() if key not in ('exception', 'stacktrace')}
    message = {
        'return_code': return_code,
        'exception': exception,
        'stacktrace': stacktrace,
        'summary': json.dumps(plain(details), allow_nan=False),
    }
    if slave.kill_running_background_threads():
        channel.send('finished', **message)
        sys.exit(return_code)

    message['unkillable_threads'] = [
        readable(thread.name)
        for thread in threading.enumerate()
        if thread is not threading.main_thread()
    ]
    channel.send('finished', **message)
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(prog='sergeantcg-launcher', allow_abbrev=False)
    parser.add_argument('--report-descriptor', type=int, required=True)
    parser.add_argument('--worker-module', required=True)
    parser.add_argument('--worker-class', required=True)
    arguments = parser.parse_args()

    channel = ReportChannel(arguments.report_descriptor)

    # `python -c` leaves '' here, which follows a later chdir; `python -m` the directory itself.
    if sys.path and sys.path[0] == '':
        try:
            sys.path[0] = os.getcwd()
        except OSError:
            pass

    try:
        from sergeant import slave
    except Exception as exception:
        channel.send(
            'unavailable', python=plain(sys.executable), exception=representation(exception)
        )
        sys.exit(1)

    try:
        worker_class = load(arguments.worker_module, arguments.worker_class, slave.ReturnCode)
    except LoadFailure as failure:
        cause = failure.__cause__
        finish(
            slave, channel, failure.return_code, {}, representation(cause), stacktrace_of(cause)
        )
    else:
        channel.send('loaded')
        return_code, summary = run(slave, worker_class, channel)
        summary = {**(summary or {}), 'return_code': return_code}
        finish(slave, channel, return_code, summary, *failure_in(summary))


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
