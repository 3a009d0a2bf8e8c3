"""What the demo does, and the names its worker and its judge share."""
import os
import urllib.parse

TASKS = 500
WORKERS = 4
MEBIBYTE = 2**20
RECYCLE_BYTES = 48 * MEBIBYTE
KILL_BYTES = 96 * MEBIBYTE

PAGE, LEAK, FLOOD = 'page', 'leak', 'flood'
FLOODS = {45, 125, 205, 285, 365, 445}
LEAK_EVERY = 4
LEAKED_BYTES = 2 * MEBIBYTE
FLOODED_BYTES = 1024 * MEBIBYTE
SECONDS_A_TASK = 0.1

QUEUE = 'demo'
DONE = 'demo:done'    # task -> how often it was done
MIDST = 'demo:midst'  # incarnation of a worker -> the task in its midst

URL = 'SERGEANTCG_DEMO_REDIS'


def kind(number):
    if number in FLOODS:
        return FLOOD
    return LEAK if number % LEAK_EVERY == 0 else PAGE


def tasks():
    return [{'number': number, 'kind': kind(number)} for number in range(1, TASKS + 1)]


def identity(worker, incarnation):
    """An incarnation's name, as in the name of its cgroup: `crawler-2.3`."""
    return f'{worker}.{incarnation}'


def redis_node():
    url = urllib.parse.urlsplit(os.environ[URL])
    return {'host': url.hostname, 'port': url.port, 'password': url.password, 'database': 0}
