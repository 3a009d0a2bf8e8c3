#!/usr/bin/env python3
"""Asks the supervisor something small again and again over one connection, before everything else on this machine
runs, and prints when each question was asked and how long the answer took: `ASKED SECONDS`, monotonic.

    probe.py SOCKET SECONDS-BETWEEN
"""
import os
import select
import socket
import sys
import time

import machine
import pool


def main():
    path, interval = sys.argv[1], float(sys.argv[2])
    machine.prefer(0, -20)
    connection = None
    while True:
        try:
            if connection is None:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(path)
                pool.ask(connection, 'org.varlink.service.GetInfo')
            asked = time.monotonic()
            pool.ask(connection, 'org.varlink.service.GetInfo')
            print(f'{asked:.6f} {time.monotonic() - asked:.6f}', flush=True)
        except OSError:
            # By an upgrade, or for want of a descriptor for it.
            connection.close()
            connection = None
        # Ends with whoever reads this.
        if select.select([0], [], [], interval)[0] and not os.read(0, 1):
            return


main()
