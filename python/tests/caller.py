"""A program that uses `Supervisor`, ours or upstream's, as the tests ask: `caller.py {"face": "sergeantcg", …}`.

Every record is written to descriptor `records` as a line of JSON, whole.
"""
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

PLAIN = set(logging.LogRecord('', 0, '', 0, None, (), None).__dict__) | {'message', 'asctime', 'taskName'}
WISH = json.loads(sys.argv[1])


class Handler(logging.Handler):
    """Tells the test of each record, with its `extra`."""

    def emit(self, record):
        tell({
            'level': record.levelname,
            'message': record.getMessage(),
            'logger': record.name,
            'thread': threading.current_thread() is threading.main_thread(),
            'extra': {key: value for key, value in record.__dict__.items() if key not in PLAIN},
            'workers': [worker.process.pid for worker in supervisor.current_workers],
        })
        for deed in WISH.get('deeds', {}).get(record.getMessage().split(':')[0], ()):
            globals()[deed]()


class RaisingLogger(logging.Logger):
    def makeRecord(self, *arguments, **options):
        super().makeRecord(*arguments, **options)
        raise RuntimeError('this logger is broken')


def tell(message):
    line = (json.dumps(message, default=repr) + '\n').encode()
    while line:
        line = line[os.write(WISH['records'], line):]


# Deeds, done when a message is logged.

def set_flag():
    supervisor.stop_process_has_started = True


def stop():
    supervisor.stop()


def child_that_ends_with_7():
    child = subprocess.Popen(['sh', '-c', 'exit 7'])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    children.append(child)


def fork_that_stays():
    """A copy of this process holds whatever descriptors it has, until the test ends it."""
    if os.fork() == 0:
        # Told by itself: Python forgets the signals that come before a fork of it has collected itself.
        tell({'fork': os.getpid()})
        while True:
            time.sleep(0.1)  # Not pause(2): a signal just before it would be slept over.


def exit_in_handler():
    signal.signal(signal.SIGUSR1, lambda number, frame: sys.exit(42))
    os.kill(os.getpid(), signal.SIGUSR1)


def steal():
    """As a program does that waits for any child."""
    def take():
        while True:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            tell({'stolen': pid})
    threading.Thread(target=take, daemon=True).start()


def make():
    if WISH['face'] == 'upstream':
        from sergeant.supervisor import Supervisor
        options = {}
    else:
        from sergeantcg import Supervisor
        options = WISH.get('options', {})
    if WISH.get('logger') == 'none':
        logger = None
    elif WISH.get('logger') == 'raising':
        logger = RaisingLogger('broken')
    else:
        logger = logging.getLogger('the.test')
        logger.propagate = False
        logger.setLevel(WISH.get('level', 'INFO'))
        logger.addHandler(Handler())
    return Supervisor(logger=logger, **WISH['arguments'], **options)


def start():
    try:
        supervisor.start()
    except SystemExit as end:
        tell({'exit': end.code, 'statuses': [
            child.wait() for child in children]})
        raise
    except BaseException as end:
        tell({'raised': repr(end)})
        raise


children = []
# A shell's background jobs ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
if WISH.get('ignore_children'):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if WISH.get('early') == 'SIGTERM':
    supervisor = make()
    os.kill(os.getpid(), signal.SIGTERM)
    start()
elif WISH.get('child'):
    # Before the supervisor, so that whoever takes any status takes this one.
    child_that_ends_with_7()
    supervisor = make()
    start()
elif WISH.get('thread') == 'start':
    supervisor = make()
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
elif WISH.get('thread') == 'all':
    def both():
        global supervisor
        supervisor = make()
        start()
    thread = threading.Thread(target=both)
    thread.start()
    thread.join()
else:
    supervisor = make()
    start()
