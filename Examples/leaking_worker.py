"""A worker that forgets nothing: recycled at its memory limit, between two tasks, and none is lost."""
import crawl_worker


class Worker(crawl_worker.Worker):
    def initialize(self):
        self.stop_requested = False
        self.pages = []

    def work(self, task):
        super().work(task)
        self.pages.append(crawl_worker.fetch(task.kwargs['url']))

    def stop_signal_handler(self, signal_num, frame):
        # `sergeant` itself stops in the midst of whatever it does and runs that task again.
        # This one finishes its task first, so that nothing is done twice.
        self.stop_requested = True

    def get_next_tasks(self, *args, **kwargs):
        if self.stop_requested:
            self.stop()
        return super().get_next_tasks(*args, **kwargs)
