"""A worker that takes more memory at once than it may have: killed by the kernel at its hard limit."""
import crawl_worker


class Worker(crawl_worker.Worker):
    def work(self, task):
        return len(b'x' * 2**30)
