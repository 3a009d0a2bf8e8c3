#!/usr/bin/env python3
"""Looks at a process every few milliseconds, before everything else on this machine runs. Prints each time in which it
ran or wanted to (`BEGUN SECONDS runs`, monotonic), and each time in which this program itself was not let run though its
sleep had ended, when nobody can have run (`BEGUN SECONDS stall`).

    heartbeat.py PID
"""
import os
import select
import sys
import time

import machine

BEAT = 0.005


def main():
    machine.prefer(0, -20)
    path = f'/proc/{sys.argv[1]}/stat'
    since = None
    while True:
        begun = time.monotonic()
        # Ends with whoever reads this.
        if select.select([0], [], [], BEAT)[0] and not os.read(0, 1):
            return
        now = time.monotonic()
        if now - begun > BEAT + 0.02:
            print(f'{begun:.6f} {now - begun - BEAT:.6f} stall', flush=True)
        with open(path) as file:
            runs = file.read().rpartition(')')[2].split()[0] == 'R'
        if runs and since is None:
            since = begun
        elif not runs and since is not None:
            print(f'{since:.6f} {now - since:.6f} runs', flush=True)
            since = None


main()
