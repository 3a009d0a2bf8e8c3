"""Workers that fail as upstream's fail, where upstream fails with them."""
import mmap
import os
import sys
import time

import sergeant

import pool


def hold(size):
    """Memory that is really there, faulted in by the kernel: quick even in an emulated machine."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)


class SpeaksAtLength(pool.Worker):
    """An exception of a megabyte, every part of it unlike the others."""

    def initialize(self):
        if pool.INCARNATION == 1:
            raise Exception(' '.join('%09d' % number for number in range(100_000)))
        super().initialize()

    def work(self, task):
        pool.wait()


class ExitsWithTwo(pool.Worker):
    """What upstream takes for a module that is not there."""

    def work(self, task):
        if pool.INCARNATION == 1:
            sys.exit(2)
        pool.wait()


class ExitsWithTwoInInitialize(pool.Worker):
    def initialize(self):
        if pool.INCARNATION == 1:
            sys.exit(2)
        super().initialize()

    def work(self, task):
        pool.wait()


class CleansUp(pool.Worker):
    """Takes three seconds to end, with the memory it took or without."""

    def work(self, task):
        pool.note('waiting', os.getpid())
        if pool.INCARNATION == 1:
            self.memory = hold(int(os.environ['TEST_HOLD']))
        pool.wait()

    def finalize(self):
        pool.note('begun', os.getpid())
        end = time.monotonic() + 3
        while time.monotonic() < end:
            time.sleep(0.1)
        pool.note('completed', os.getpid())


class Prefetches(sergeant.worker.Worker):
    """Takes eight tasks at a time; the first three of a slot breach their limit in the third."""

    TASKS = 40
    GREEDY = 3

    def generate_config(self):
        return sergeant.config.WorkerConfig(
            name='kernel_test_tasks',
            connector=sergeant.config.Connector(
                type='redis',
                params={
                    'nodes': [
                        {
                            'host': '127.0.0.1',
                            'port': int(os.environ['TEST_REDIS_PORT']),
                            'password': None,
                            'database': 0,
                        },
                    ],
                },
            ),
            tasks_per_transaction=8,
            max_tasks_per_run=0,
        )

    def initialize(self):
        self.taken = 0
        if pool.INCARNATION == 1:
            self.push_tasks(kwargs_list=[{'number': number} for number in range(self.TASKS)])

    def work(self, task):
        self.taken += 1
        if self.taken == 3 and pool.INCARNATION <= self.GREEDY:
            self.memory = hold(int(os.environ['TEST_HOLD']))
            pool.wait()
        self.broker.connector.next_connection.rpush('done', task.kwargs['number'])
        if self.broker.connector.next_connection.llen('done') == self.TASKS:
            pool.note('all-done', pool.INCARNATION)
