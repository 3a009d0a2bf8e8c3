"""sergeant's own supervisor, with a program of ours in the place of its Python worker.

    python upstream.py FIFO COUNT BYTES|- PROGRAM [ARGUMENT...]

It starts its workers as `{sys.executable} -m sergeant.slave ...`, split into words, so that the words put there come
first. Nothing else of it is changed, but for its kill: the time just before it goes to FIFO, "0 NANOSECONDS".
"""

import os
import sys
import time

from sergeant import supervisor


def main(report, count, limit, *words):
    fifo = os.open(report, os.O_WRONLY | os.O_CLOEXEC)
    kill = supervisor.SupervisedWorker.kill

    def timed_kill(worker):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        if limit != "-" and worker.process.returncode is None:
            os.write(fifo, b"0 %d\n" % now)
        kill(worker)

    supervisor.SupervisedWorker.kill = timed_kill
    sys.executable = " ".join(words)
    supervisor.Supervisor("module", "Class", int(count), None if limit == "-" else int(limit)).start()


main(*sys.argv[1:])
