"""The demo's worker: most tasks are pages, some leak a little, a few flood the memory at once."""
import os
import time

import redis
import sergeant

import plan


class Worker(sergeant.worker.Worker):
    def generate_config(self):
        return sergeant.config.WorkerConfig(
            name=plan.QUEUE,
            connector=sergeant.config.Connector(
                type='redis', params={'nodes': [plan.redis_node()]},
            ),
            # A worker that the kernel kills takes with it what it has popped: one task, never more.
            tasks_per_transaction=1,
        )

    def initialize(self):
        self.stop_requested = False
        self.leaked = []
        self.identity = plan.identity(os.environ['SERGEANT_WORKER'], os.environ['SERGEANT_INCARNATION'])
        node = plan.redis_node()
        self.ledger = redis.Redis(
            host=node['host'], port=node['port'], password=node['password'], db=node['database'],
        )

    def work(self, task):
        number, kind = task.kwargs['number'], task.kwargs['kind']
        self.ledger.hset(plan.MIDST, self.identity, number)
        time.sleep(plan.SECONDS_A_TASK)  # the network
        if kind == plan.LEAK:
            self.leaked.append(b'x' * plan.LEAKED_BYTES)
        elif kind == plan.FLOOD:
            len(b'x' * plan.FLOODED_BYTES)
        done = self.ledger.pipeline(transaction=True)
        done.hincrby(plan.DONE, number, 1)
        done.hdel(plan.MIDST, self.identity)
        done.execute()

    def stop_signal_handler(self, signal_num, frame):
        # Not in the midst of a task, nor of taking one: stop between two, and nothing is done twice.
        self.stop_requested = True

    def get_next_tasks(self, *args, **kwargs):
        if self.stop_requested:
            self.stop()
        return super().get_next_tasks(*args, **kwargs)
