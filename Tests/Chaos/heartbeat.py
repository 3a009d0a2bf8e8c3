#!/usr/bin/env python3
"""Looks at a process every few milliseconds, before everything else on this machine runs. Prints each time in which it
ran or wanted to (`BEGUN SECONDS runs`, monotonic), each in which it waited in the kernel for something other than events
(`BEGUN SECONDS waits FUNCTION`), and each in which this program itself was not let run though its sleep had ended, when
nobody can have run (`BEGUN SECONDS stall`). The first line (`NOW 0 begins`) says that it looks.

    heartbeat.py PID
"""
import os
import pathlib
import select
import sys
import time

import machine

BEAT = 0.005
STATES = {'R': 'runs', 'D': 'waits'}


def main():
    machine.prefer(0, -20)
    process = pathlib.Path('/proc', sys.argv[1])
    state, since = None, 0
    print(f'{time.monotonic():.6f} 0 begins', flush=True)
    while True:
        begun = time.monotonic()
        # Ends with whoever reads this.
        if select.select([0], [], [], BEAT)[0] and not os.read(0, 1):
            return
        now = time.monotonic()
        if now - begun > BEAT + 0.02:
            print(f'{begun:.6f} {now - begun - BEAT:.6f} stall', flush=True)
        seen = STATES.get((process / 'stat').read_text().rpartition(')')[2].split()[0])
        if seen == 'waits':
            seen += f' {(process / "wchan").read_text()}'
        if seen != state:
            if state:
                print(f'{since:.6f} {now - since:.6f} {state}', flush=True)
            state, since = seen, begun


main()
