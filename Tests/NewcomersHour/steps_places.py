"""Where it is started: another terminal, another user, another namespace, a cgroup that goes away."""
import os
import re
import signal

from place import children, processes, wait_until_empty
from step import step

NOBODY = 65534


def works(scene, terminal, line):
    """A command line that works, and ends on Ctrl-C."""
    terminal.type(line)
    scene.all_ready(terminal)
    terminal.press('Ctrl-C')
    terminal.prompt(0)


@step('two terminals in one cgroup: the second is told who is there, and works with a name of its own')
def two_terminals(scene):
    scene.worker()
    a, b = scene.terminal(), scene.terminal('B')
    a.type('sergeantcg -- ./worker')
    supervisor = scene.supervisor(a)
    scene.all_ready(a)
    scene.refused(b, 'sergeantcg -- ./worker', 69, rf'\b{supervisor}\b', '--name')
    b.type('sergeantcg --name other -- ./worker')
    scene.all_ready(b)
    c = scene.terminal('C', cgroup=scene.place.cgroup / 'supervisor')
    scene.refused(c, 'sergeantcg --name other -- ./worker', 69, r'PID \d+', '--name')
    a.press('Ctrl-C')
    a.prompt(0)
    b.press('Ctrl-C')
    b.prompt(0)
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('the second of two is killed: the next start finds what it left')
def second_killed(scene):
    scene.worker()
    a, b = scene.terminal(), scene.terminal('B')
    a.type('sergeantcg -- ./worker')
    scene.all_ready(a)
    b.type('sergeantcg --name other -- ./worker')
    second = scene.supervisor(b)
    workers = scene.workers(b, 1)
    scene.all_ready(b)
    # What the worker says would stand behind the prompt.
    b.wait('polite')
    os.kill(second, signal.SIGKILL)
    b.prompt(137)
    a.press('Ctrl-C')
    a.prompt(0)
    a.type('sergeantcg -- ./worker')
    scene.all_ready(a)
    for worker in workers:
        scene.wait_for_end(worker)
    a.press('Ctrl-C')
    a.prompt(0)


@step('two terminals in the root of the hierarchy', in_root=True)
def two_terminals_in_root(scene):
    scene.worker()
    name = scene.place.mark
    a, b = scene.terminal(), scene.terminal('B')
    a.type(f'sergeantcg --name {name} -- ./worker')
    supervisor = scene.supervisor(a)
    scene.all_ready(a)
    scene.refused(b, f'sergeantcg --name {name} -- ./worker', 69, rf'\b{supervisor}\b', '--name')
    works(scene, b, f'sergeantcg --name {name}-2 -- ./worker')
    a.press('Ctrl-C')
    a.prompt(0)
    left = [path.name for path in scene.place.hour.mount.iterdir() if name in path.name]
    scene.expect_equal(left, [], 'what is left in the root')


@step('an ordinary user in a cgroup that is not delegated')
def ordinary_user(scene):
    scene.worker()
    a = scene.terminal(user=NOBODY)
    scene.refused(a, 'sergeantcg -- ./worker', 69, 'not delegated', 'sudo|systemd-run|chown')
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('an ordinary user in a cgroup that root has delegated')
def ordinary_user_delegated(scene):
    scene.worker()
    scene.place.delegate_to(NOBODY)
    a = scene.terminal(user=NOBODY)
    a.run('id -u; cat /proc/self/cgroup | grep 0::')
    works(scene, a, 'sergeantcg --concurrent-workers 2 -- ./worker')
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('an ordinary user does as the message says')
def ordinary_user_obeys(scene):
    scene.worker()
    a, root = scene.terminal(user=NOBODY), scene.terminal('root')
    shown = scene.refused(a, 'sergeantcg -- ./worker', 69, "sudo sh -c '[^']*'")
    command = re.search("sh -c '[^']*'", shown)[0]
    made = re.search('mkdir -p ([^ ]+)', command)[1]
    root.run(command)
    works(scene, a, 'sergeantcg -- ./worker')
    a.leave()
    root.run(f'rmdir {scene.place.hour.mount}/{made}')


@step('a path for --cgroup')
def given_cgroup(scene):
    scene.worker()
    a = scene.terminal()
    inside = scene.place.cgroup.relative_to(scene.place.hour.mount)
    works(scene, a, f'sergeantcg --cgroup {scene.place.cgroup}/pool -- ./worker')
    works(scene, a, f'sergeantcg --cgroup /{inside}/pool -- ./worker')
    works(scene, a, f'sergeantcg --cgroup {inside}/pool -- ./worker')
    if 'memory' in scene.place.hour.controllers:
        # The shell is in the cgroup above: no limit can be had beneath it.
        scene.refused(
            a, f'sergeantcg --cgroup {inside}/pool --memory-max 64M -- ./worker', 69,
            'a process is still in this cgroup', 'move it')
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('process 1 of a PID namespace: reaps, stops, leaves nothing')
def process_one(scene):
    # Each leaves a process that ends after its parent has, and so is the supervisor's to reap.
    scene.worker(
        "#!/bin/sh\ntrap 'kill -KILL $forever; wait; exit 0' TERM\nsleep infinity &\nforever=$!\n"
        '(true & exec true)\necho works\nwait $forever\n')
    a = scene.terminal()
    a.type('unshare --pid --fork --mount-proc sergeantcg --concurrent-workers 2 -- ./worker')
    scene.all_ready(a)
    for _ in range(2):
        a.wait('^works')
    supervisor = next(
        pid for pid in processes(scene.place.cgroup)
        if open(f'/proc/{pid}/comm').read() == 'sergeantcg\n')
    b = scene.terminal('B', cgroup=scene.place.hour.cgroup / 'process_one')
    b.run(f'until test $(ps -o pid= --ppid {supervisor} | wc -l) = 2; do :; done')
    a.press('Ctrl-C')
    a.prompt(0)
    b.leave()
    if 'memory' in scene.place.hour.controllers:
        # The shell is in the same cgroup, and of another PID namespace: it cannot be moved.
        scene.refused(
            a, 'unshare --pid --fork --mount-proc sergeantcg --memory-max 64M -- ./worker', 69,
            'a process is still in this cgroup', 'a cgroup of its own')
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step("a worker is moved away and its cgroup removed under it")
def pulled_away(scene):
    scene.worker()
    a, b = scene.terminal(), scene.terminal('B', cgroup=scene.place.hour.cgroup / 'pulled_away')
    root = scene.place.cgroup
    a.type('sergeantcg -- ./worker')
    worker, = scene.workers(a, 1)
    scene.all_ready(a)
    a.wait('polite')
    b.run(f'mkdir {root}/elsewhere; for p in $(cat {root}/worker/1.1/cgroup.procs); '
          f'do echo $p > {root}/elsewhere/cgroup.procs; done; rmdir {root}/worker/1.1 {root}/worker')
    b.run(f'kill -KILL {worker}')
    a.wait(rf'worker\({worker}\) was respawned as')
    scene.expect(children(root / 'worker'), 'the new worker has no cgroup')
    a.press('Ctrl-C')
    a.wait('exiting')
    a.prompt(0)
    b.run(f'echo 1 > {root}/elsewhere/cgroup.kill')
    wait_until_empty(root / 'elsewhere', 10)
    b.run(f'rmdir {root}/elsewhere')


@step('the cgroup file system becomes read-only under it, and writable again')
def made_read_only(scene):
    scene.worker()
    mount = scene.place.hour.mount
    a = scene.terminal(wrapper=['unshare', '--mount', '--propagation', 'private'])
    b = scene.terminal('B', wrapper=['nsenter', '--target', str(a.pid), '--mount', f'--wd={scene.place.work}'])
    a.type('sergeantcg -- ./worker')
    worker, = scene.workers(a, 1)
    scene.all_ready(a)
    b.run(f'mount -o remount,bind,ro {mount}')
    b.run(f'kill -KILL {worker}')
    a.wait('(?i)read-only')
    a.wait('is started again in')
    b.run(f'mount -o remount,bind,rw {mount}')
    a.wait('was respawned as|spawned a new worker')
    a.press('Ctrl-C')
    a.prompt(0)
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('a read-only cgroup file system from the start')
def read_only(scene):
    scene.worker()
    a = scene.terminal(wrapper=['unshare', '--mount', '--propagation', 'private'])
    a.run(f'mount -o remount,bind,ro {scene.place.hour.mount}')
    scene.refused(a, 'sergeantcg -- ./worker', 69, '(?i)read-only', 'mount')


@step('no cgroup2 at all')
def no_cgroup2(scene):
    scene.worker()
    a = scene.terminal(wrapper=['unshare', '--mount', '--propagation', 'private'])
    a.run(f'umount -l {scene.place.hour.mount}')
    scene.refused(a, 'sergeantcg -- ./worker', 69, 'cgroup2', 'mount -t cgroup2')
