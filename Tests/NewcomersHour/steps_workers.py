"""Workers of every kind that a person might try first."""
import os
import signal

from place import children, processes
from step import step


@step('a command that exits at once: paced, and said')
def exits_at_once(scene):
    a = scene.terminal()
    a.type('sergeantcg -- true')
    a.wait('finishes within a second.*10 times a second')
    for _ in range(10):
        a.wait('was respawned as')
    a.press('Ctrl-C')
    a.prompt(0)


@step('a command that fails: back-off, and said')
def fails(scene):
    a = scene.terminal()
    a.type('sergeantcg -- false')
    a.wait(r'return code: 1')
    scene.expect(a.had_colour, 'the log has no colour on a terminal')
    a.wait(r'false-1 is started again in 0\.\d+ s after 1 failure in a row')
    a.wait(r'started again in \S+ s after 3 failures in a row')
    a.press('Ctrl-C')
    a.prompt(0)


@step('a command that crashes: the signal is said')
def crashes(scene):
    a = scene.terminal()
    a.type("sergeantcg --max-failures 2/60 -- sh -c 'kill -SEGV $$'")
    a.wait('SIGSEGV')
    a.wait('given up: 3 failures within 60')
    a.prompt(1)


@step('a worker that is itself sergeantcg')
def nested(scene):
    scene.worker()
    a = scene.terminal()
    a.type('sergeantcg -- sergeantcg --concurrent-workers 2 -- ./worker')
    scene.all_ready(a)
    for _ in range(2):
        a.wait(r'polite \d+ works')
    a.press('Ctrl-C')
    for _ in range(2):
        a.wait(r'polite \d+ finishes its work')
    shown = a.prompt(0)
    scene.expect('signal 9' not in shown, 'the inner supervisor was killed')


@step('a nested one that is killed is replaced, its workers with it')
def nested_killed(scene):
    scene.worker()
    a = scene.terminal()
    a.type('sergeantcg -- sergeantcg --concurrent-workers 2 -- ./worker')
    inner, = scene.workers(a, 1)
    first = scene.workers(a, 2)
    scene.all_ready(a)
    os.kill(inner, signal.SIGKILL)
    for worker in first:
        scene.wait_for_end(worker)
    a.wait(rf'worker\({inner}\) was respawned as')
    scene.workers(a, 2)
    scene.all_ready(a)
    a.press('Ctrl-C')
    a.prompt(0)


@step('300 workers')
def three_hundred(scene):
    a = scene.terminal()
    a.type('sergeantcg --concurrent-workers 300 -- sleep infinity')
    a.wait('all workers are ready', 240)
    scene.expect_equal(len(processes(scene.place.cgroup / 'sleep')), 300, 'the number of workers')
    a.press('Ctrl-C')
    a.prompt(0, 240)


@step('300 workers with the usual limit of 1024 open files')
def three_hundred_in_1024_files(scene):
    a = scene.terminal()
    a.run('ulimit -Sn 1024; ulimit -Hn 4096')
    a.type("sergeantcg --concurrent-workers 600 -- sh -c 'ulimit -n; exec sleep infinity'")
    a.wait('all workers are ready', 240)
    a.wait('^1024$')
    a.press('Ctrl-C')
    shown = a.prompt(0, 240)
    scene.expect('EMFILE' not in shown, 'descriptors ran out')


@step('programs with weird names')
def weird_names(scene):
    names = [
        'my worker', 'Büro-Arbeiter ☕', 'x' * 255, 'supervisor', '.hidden', '-rf', 'cgroup.procs', "it's", '$HOME',
        'two\nlines', '🦆', '.', '_',
    ]
    a = scene.terminal()
    for name in names:
        if name == '.':
            continue
        scene.worker('#!/bin/sh\necho "$SERGEANT_WORKER works"\nexec sleep infinity\n', name)
        quoted = "$'./" + name.replace("'", r"\'").replace('\n', r'\n') + "'"
        a.type(f'sergeantcg -- {quoted}')
        a.wait(r'\S+-1 works')
        a.press('Ctrl-C')
        a.prompt(0)
        scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')
    a.type("sergeantcg --name 'my pool ☕' -- sleep infinity")
    scene.all_ready(a)
    a.press('Ctrl-C')
    a.prompt(0)


@step('a worker that reads the keyboard gets nothing of what is typed')
def reads_the_keyboard(scene):
    scene.worker('#!/bin/sh\nread line; echo "got <$line>, status $?"; exec sleep infinity\n')
    a = scene.terminal()
    a.type('sergeantcg -- ./worker')
    a.wait(r'got <>, status 1')
    a.press('Ctrl-C')
    a.prompt(0)


@step('a worker that leaves a daemon behind')
def leaves_a_daemon(scene):
    scene.worker('#!/bin/sh\nsetsid sleep infinity &\necho daemon $!\nexit 1\n')
    a = scene.terminal()
    a.type('sergeantcg --backoff-initial 1h --backoff-max 1h -- ./worker')
    daemon = int(a.wait(r'daemon (\d+)')[1])
    a.wait('left processes behind')
    scene.wait_for_end(daemon)
    a.press('Ctrl-C')
    a.prompt(0)
