"""What Examples/README.md says, typed as it stands there."""
import os
import pathlib
import re
import shutil
import socket

from place import children
from step import step
from transcript import Unexpected

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / 'Examples'


def commands():
    """The commands of the table, by file."""
    rows = re.findall(r'^\| `([^`]+)` \|.*\| `([^`]+)` \|$', (EXAMPLES / 'README.md').read_text(), re.M)
    return {name: command for name, command in rows if name != 'demo/'}


def prepare(scene):
    """A terminal in a copy of the directory, with the Python's environment activated, and a queue."""
    python = os.environ.get('SERGEANTCG_PYTHON')
    if not python or not os.path.exists(python):
        raise Unexpected('SERGEANTCG_PYTHON names no Python with sergeant: run scripts/install-dependencies')
    shutil.copytree(EXAMPLES, scene.place.work / 'Examples')
    scene.place.expect_file('Examples')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    r = scene.terminal('R')
    r.type(f"redis-server --port {port} --bind 127.0.0.1 --save ''")
    r.wait('Ready to accept connections')
    a = scene.terminal()
    a.run('cd Examples; VIRTUAL_ENV_DISABLE_PROMPT=1')
    a.run(f'. {os.path.dirname(python)}/activate')
    a.run(f'export REDIS_URL=redis://127.0.0.1:{port}/0')
    return a, r


def finish(a, r):
    a.press('Ctrl-C')
    a.prompt(0)
    r.press('Ctrl-C')
    r.prompt(0)


def push(scene, a):
    command = commands()['push_tasks.py']
    scene.expect_equal(
        a.run(command), f'{command.split()[-1]} tasks are waiting', 'what the producer says')


def needs_memory(scene, a, r, command):
    """Where there is no memory controller, the limit is refused in one sentence."""
    if 'memory' in scene.place.hour.controllers:
        return True
    scene.refused(a, command, 69, r'cgroup\.controllers')
    r.press('Ctrl-C')
    r.prompt(0)
    return False


@step('Examples/README.md: the crawl worker')
def example_crawl(scene):
    a, r = prepare(scene)
    push(scene, a)
    # Opened before the supervisor takes the cgroup: afterwards nobody else can be put into it.
    b = scene.terminal('B')
    b.run(f". {os.environ['SERGEANTCG_PYTHON'].rpartition('/')[0]}/activate; PS1='($?) B$ '; cd Examples")
    b.run('export ' + re.search(r'REDIS_URL=\S+', a.text)[0])
    a.type(commands()['crawl_worker.py'])
    scene.all_ready(a)
    b.type("until python3 push_tasks.py 0 | grep '^0 tasks'; do :; done")
    b.prompt(0, 240)  # Python starts slowly in a guest kernel
    finish(a, r)
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('Examples/README.md: the leaking worker')
def example_leak(scene):
    a, r = prepare(scene)
    push(scene, a)
    command = commands()['leaking_worker.py']
    if needs_memory(scene, a, r, command):
        a.type(command)
        a.wait('exceeded the maximum memory limit')
        a.wait('was respawned as')
        finish(a, r)


@step('Examples/README.md: the flooding worker')
def example_flood(scene):
    a, r = prepare(scene)
    push(scene, a)
    command = commands()['flooding_worker.py']
    if needs_memory(scene, a, r, command):
        a.type(command)
        a.wait('the kernel killed')
        a.wait('was respawned as')
        finish(a, r)


@step('Examples/README.md: the shell script')
def example_shell(scene):
    a, r = prepare(scene)
    command = commands()['worker.sh']
    if needs_memory(scene, a, r, command):
        a.type(command)
        scene.all_ready(a)
        # A shell has set its trap when its first piece of work has begun.
        scene.wait_for_processes(scene.place.cgroup / 'worker_sh', 4)
        a.press('Ctrl-C')
        for _ in range(2):
            a.wait('finished its work and stopped')
        a.prompt(0)
        r.press('Ctrl-C')
        r.prompt(0)


@step('an example without its Python environment')
def example_without_sergeant(scene):
    a, r = prepare(scene)
    a.run('deactivate')
    a.type(commands()['crawl_worker.py'].replace('=4', '=1'))
    a.wait(r"'sergeant' cannot be imported.*--python")
    a.prompt(1)
    a.type('sergeantcg --worker-module=no_such --worker-class=Worker --python ' + os.environ['SERGEANTCG_PYTHON'])
    a.wait('could not load worker module: no_such')
    a.prompt(1)
    a.type(
        'sergeantcg --worker-module=crawl_worker --worker-class=Wroker --python ' + os.environ['SERGEANTCG_PYTHON'])
    a.wait(r'could not find worker class: crawl_worker\.Wroker')
    a.prompt(1)
    r.press('Ctrl-C')
    r.prompt(0)
