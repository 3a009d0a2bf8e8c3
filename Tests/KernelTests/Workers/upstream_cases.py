"""A worker for each of upstream's own test cases. The very first one does it, all others wait."""
import threading
import time

import pool


class Case(pool.Worker):
    def initialize(self):
        if pool.IS_FIRST:
            self.begin()
        super().initialize()

    def finalize(self):
        if pool.IS_FIRST:
            self.end()

    def work(self, task):
        if not pool.IS_FIRST:
            pool.wait()
        self.act()

    def begin(self):
        pass

    def act(self):
        pass

    def end(self):
        pass


class Succeeds(Case):
    pass


class FailsInInitialize(Case):
    def begin(self):
        raise Exception('some exception in initialize')


class FailsInFinalize(Case):
    def end(self):
        raise Exception('some exception in finalize')


class FailsInExecutor(Case):
    def iterate_tasks(self):
        if pool.IS_FIRST:
            raise Exception('some exception in the executor')
        return super().iterate_tasks()


class AsksToRespawn(Case):
    def act(self):
        self.respawn()


class AsksToStop(Case):
    def act(self):
        self.stop()


class AsksToStopInInitialize(Case):
    def begin(self):
        self.stop()


class AsksToStopInFinalize(Case):
    def end(self):
        self.stop()


class FailsAbnormally(Case):
    def init_worker(self):
        if pool.IS_FIRST:
            raise Exception('some abnormal exception')
        super().init_worker()


class HangsInThreads(Case):
    """Threads that run on after the end of the work, and can be ended by an exception."""

    def act(self):
        for _ in range(3):
            threading.Thread(target=self.hang).start()

    def hang(self):
        while True:
            time.sleep(0.01)


class HangsInThreadsAndAsksToStop(HangsInThreads):
    def act(self):
        super().act()
        self.stop()


class HangsInThreadsThatCannotBeEnded(HangsInThreads):
    def hang(self):
        time.sleep(1000)
