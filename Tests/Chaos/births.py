#!/usr/bin/env python3
"""Watches the cgroups of the groups, before everything else on this machine runs, and prints when each incarnation was
born: when its cgroup was first seen to hold a process, to a few milliseconds: `SEEN 0 GROUP/SLOT.INCARNATION`, monotonic.
One that lives shorter than that is not seen. The first line (`NOW 0 begins`) says that it watches.

    births.py GROUND
"""
import os
import pathlib
import select
import sys
import time

import machine

BEAT = 0.005


def is_populated(directory):
    """None where it is gone."""
    try:
        return 'populated 1' in (directory / 'cgroup.events').read_text()
    except OSError:
        return None


def main():
    machine.prefer(0, -20)
    watch = machine.DirectoryWatch(group for group in pathlib.Path(sys.argv[1]).iterdir() if group.is_dir())
    print(f'{time.monotonic():.6f} 0 begins', flush=True)
    empty = []
    while True:
        # Nobody tells in time of a cgroup that gets its first process: the kernel does so by a thread that may wait.
        readable, _, _ = select.select([0, watch], [], [], BEAT if empty else None)
        # Ends with whoever reads this.
        if 0 in readable and not os.read(0, 1):
            return
        if watch in readable:
            empty += watch.made()
        for directory in list(empty):
            populated = is_populated(directory)
            if populated:
                print(f'{time.monotonic():.6f} 0 {directory.parent.name}/{directory.name}', flush=True)
            if populated is not False:
                empty.remove(directory)


main()
