"""System calls of processes, as strace sees them."""

import collections
import contextlib
import re
import signal
import subprocess
import time

from bench import host

LINE = re.compile(r"(\d+)\s+(\d+\.\d+) (.*)")
CALL = re.compile(r"(\w+)\(")


@contextlib.contextmanager
def traced(pids, path):
    """strace of all these processes and what they start, attached when the body starts."""
    attach = [argument for pid in pids for argument in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-f", "-ttt", "-o", str(path), *attach],
                          stderr=subprocess.PIPE, text=True) as tracer:
        attached = 0
        while attached < len(pids):
            line = tracer.stderr.readline()
            if not line:
                raise host.Failure("strace could not attach; it must be installed and allowed to trace")
            attached += "attached" in line
        # To attach interrupts the call that a process sleeps in: not the supervisor's doing, to be over before we look.
        time.sleep(1)
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()


def calls(path, begin, end):
    """[(pid, name)] of the calls that were entered between two times of the wall clock, in their order."""
    for line in open(path, errors="replace"):
        if not (parts := LINE.match(line)) or not begin <= float(parts[2]) < end:
            continue
        if call := CALL.match(parts[3]):
            yield int(parts[1]), call[1]


def count(path, begin, end):
    return sum(1 for _ in calls(path, begin, end))


def by_name_until_exec(path, begin, end, supervisors):
    """How often the supervisors made each call, and the processes they started until exec, that one included.

    Reading the clock is left out: it is a system call only where a machine's clock cannot be read without one.
    """
    own, children, gone = collections.Counter(), collections.Counter(), set()
    for pid, name in calls(path, begin, end):
        if name == "clock_gettime":
            continue
        if pid in supervisors:
            own[name] += 1
        elif pid not in gone:
            children[name] += 1
            if name in ("execve", "execveat"):
                gone.add(pid)
    return own, children
