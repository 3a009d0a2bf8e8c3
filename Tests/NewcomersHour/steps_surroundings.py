"""Standard input, output and error, descriptors and disks that are not as usual."""
import os
import signal

from place import children, processes
from step import step


@step('its output piped into head: supervision goes on')
def piped_into_head(scene):
    scene.worker("#!/bin/sh\ntrap 'kill -KILL $!; wait; exit 0' TERM\nsleep infinity & echo works; wait\n")
    a, b = scene.terminal(), scene.terminal('B')
    a.type('sergeantcg --concurrent-workers 2 --log-level debug -- ./worker 2>&1 >/dev/null | head -n 1; '
           'echo pipe: ${PIPESTATUS[*]}')
    supervisor = int(a.wait(r'Supervisor +(\d+) ')[1])
    root = scene.place.cgroup
    wait_for_workers(scene, b, 2)
    workers = processes(root / 'worker')
    # The reader has gone; a worker that is killed now is replaced, and seen by its cgroup.
    victim = min(workers)
    b.run(f'kill -KILL $(cat {root}/worker/1.1/cgroup.procs)')
    b.run(f'until test -d {root}/worker/1.2; do :; done')
    b.run(f'kill {supervisor}')
    a.wait('pipe: 0 0')
    a.prompt(0)
    scene.wait_for_end(victim)


def wait_for_workers(scene, terminal, count):
    """Looks until so many are there: nobody says so where the log is gone."""
    root = scene.place.cgroup
    terminal.run(
        f'until test "$(cat {root}/worker/*/cgroup.procs 2>/dev/null | wc -l)" -ge {count}; do :; done')


def supervises(scene, line, *, count=2, once='true'):
    """A command line whose log nobody sees: it keeps its workers, replaces one once a command says that it may be, and
    ends on Ctrl-C."""
    a, b = scene.terminal(), scene.terminal('B')
    root = scene.place.cgroup
    a.type(line)
    wait_for_workers(scene, b, count)
    b.run(f'until {once}; do :; done')
    b.run(f'kill -KILL $(cat {root}/worker/1.1/cgroup.procs)')
    b.run(f'until test -d {root}/worker/1.2; do :; done')
    a.press('Ctrl-C')
    a.prompt(0)
    scene.expect_equal(children(root), [], 'the cgroups that are left')
    return a


@step('standard error closed (2>&-)')
def stderr_closed(scene):
    scene.worker('#!/bin/sh\nls -l /proc/self/fd >fds.$SERGEANT_INCARNATION.$SERGEANT_SLOT\nexec sleep infinity\n')
    for name in ('1.1', '1.2', '2.1', '2.2'):
        scene.place.expect_file(f'fds.{name}')
    supervises(scene, 'sergeantcg --concurrent-workers 2 -- ./worker 2>&-', once='test -s fds.1.1')
    a = scene.terminals[0]
    shown = a.run('cat fds.1.1')
    scene.expect('2 -> ' in shown, "the worker's own standard error is closed: what it opens next becomes it")
    scene.expect('anon_inode' not in shown and 'cgroup' not in shown, "a descriptor of ours is the worker's stderr")


@step('standard input closed (<&-)')
def stdin_closed(scene):
    scene.worker('#!/bin/sh\nexec sleep infinity\n')
    supervises(scene, 'sergeantcg --concurrent-workers 2 -- ./worker <&-')


@step('all three closed')
def all_closed(scene):
    scene.worker('#!/bin/sh\nexec sleep infinity\n')
    supervises(scene, 'sergeantcg --concurrent-workers 2 -- ./worker <&- >&- 2>&-')


@step('a full disk for the log (2>/dev/full)')
def full_disk(scene):
    scene.worker('#!/bin/sh\nexec sleep infinity\n')
    supervises(scene, 'sergeantcg --concurrent-workers 2 -- ./worker 2>/dev/full')


@step('--help into a full disk, and into a closed pipe')
def help_into_nowhere(scene):
    a = scene.terminal()
    a.run('sergeantcg --help >/dev/full', None)
    a.run('sergeantcg run --help | head -n 1')
    a.run('sergeantcg --help >&-', None)


@step('in the background of a script')
def in_a_script(scene):
    scene.worker()
    scene.place.file('start', '#!/bin/sh\nsergeantcg --concurrent-workers 2 -- ./worker 2>log &\necho supervisor $!\n')
    scene.place.expect_file('log')
    a = scene.terminal()
    a.type('./start')
    supervisor = int(a.wait(r'supervisor (\d+)')[1])
    a.prompt(0)
    a.type('tail -F log')
    scene.all_ready(a)
    # A background job of a script ignores Ctrl-C, as its shell meant it to.
    a.press('Ctrl-C')
    a.prompt(None)
    a.run(f'kill -0 {supervisor}')
    a.run(f'kill {supervisor}')
    scene.wait_for_end(supervisor)
    a.run('tail -n 1 log')


@step('in the background of the shell, then fg and Ctrl-C')
def in_the_background(scene):
    scene.worker()
    a = scene.terminal()
    a.type('sergeantcg -- ./worker &')
    scene.all_ready(a)
    a.wait('polite')
    a.type('')
    a.prompt(0)
    a.type('fg')
    a.wait('sergeantcg -- ./worker')
    # The shell says so before it hands the terminal over.
    a.wait_for_program('sergeantcg')
    a.press('Ctrl-C')
    a.prompt(0)


@step('a tiny limit of open files')
def few_files(scene):
    scene.worker()
    a = scene.terminal()
    a.run('ulimit -n 64')
    scene.refused(a, 'sergeantcg --concurrent-workers 200 -- ./worker', 1, 'ulimit -n', '64', 'LimitNOFILE=')
    a.run('ulimit -n 10')
    scene.refused(a, 'sergeantcg -- ./worker', 1, 'ulimit -n', '10')


@step('few processes are allowed: back-off, and the limit is said')
def few_processes(scene):
    scene.worker()
    scene.place.delegate_to(65533)
    a = scene.terminal(user=65533)
    a.run('ulimit -u 3')
    a.type('sergeantcg --concurrent-workers 8 -- sleep infinity')
    a.wait('EAGAIN.*process limit')
    a.press('Ctrl-C')
    a.prompt(0)


@step('no environment at all')
def no_environment(scene):
    scene.worker('#!/bin/sh\necho works\nexec sleep infinity\n')
    a = scene.terminal()
    program = f'{scene.place.hour.directory}/bin/sergeantcg'
    a.type(f'env -i {program} -- ./worker')
    a.wait('^works')
    a.press('Ctrl-C')
    a.prompt(0)


@step('the working directory is gone')
def no_directory(scene):
    a = scene.terminal()
    a.run('mkdir gone; cd gone; rmdir ../gone')
    a.type('sergeantcg -- sleep infinity')
    scene.all_ready(a)
    a.press('Ctrl-C')
    a.prompt(0)
    scene.refused(a, 'sergeantcg -- ./worker', 1, './worker')
