"""An ordinary `sergeant` worker. It knows nothing of its supervisor."""
import hashlib
import re

import sergeant

import redis_queue


def fetch(url):
    """Stands in for the network: the same page for the same address, some hundred kilobytes."""
    seed = hashlib.sha256(url.encode()).hexdigest()
    return ''.join(f'<a href="{url}/{seed[n % 60:n % 60 + 4]}{n}">{n}</a>\n' for n in range(3000))


class Worker(sergeant.worker.Worker):
    def generate_config(self):
        return sergeant.config.WorkerConfig(
            name='crawl',
            connector=redis_queue.connector(),
        )

    def work(self, task):
        page = fetch(task.kwargs['url'])
        return len(re.findall(r'href="([^"]+)"', page))
