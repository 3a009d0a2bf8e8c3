"""A module whose name has a space, as its directory's has."""
import pool


class Worker(pool.Worker):
    def work(self, task):
        pool.wait()
