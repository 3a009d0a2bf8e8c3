"""Every way in which a person, a window or a shell ends a supervisor."""
import os
import signal

from place import children, processes
from step import STUBBORN, step


@step('Ctrl-C once: the workers finish, everything is gone, the prompt is usable')
def ctrl_c_once(scene):
    scene.worker()
    a = scene.terminal()
    modes = a.modes()
    a.type('sergeantcg --concurrent-workers 2 -- ./worker')
    scene.all_ready(a)
    for _ in range(2):
        a.wait(r'polite \d+ works')
    a.press('Ctrl-C')
    for _ in range(2):
        a.wait(r'polite \d+ finishes its work')
    a.prompt(0)
    scene.expect_equal(a.modes(), modes, "the terminal's modes")
    scene.expect_equal(a.run('echo usable'), 'usable', 'what the shell answers')
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('Ctrl-C at once, before the first worker is up')
def ctrl_c_early(scene):
    scene.worker()
    a = scene.terminal()
    for _ in range(10):
        a.type('sergeantcg --concurrent-workers 8 -- ./worker')
        a.wait_for_program('sergeantcg')
        a.press('Ctrl-C')
        # 130 where the signal came before its first instruction.
        a.prompt(None)
        scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')


@step('Ctrl-C twice: workers that will not finish are killed at once')
def ctrl_c_twice(scene):
    scene.worker(STUBBORN)
    a = scene.terminal()
    modes = a.modes()
    a.type('sergeantcg --concurrent-workers 2 --stop-timeout 1h -- ./worker')
    for _ in range(2):
        a.wait(r'stubborn \d+ works')
    a.press('Ctrl-C')
    a.wait('(?i)again')  # it says what a second one does
    for _ in range(2):
        a.wait('was asked to stop')
    a.press('Ctrl-C')
    seconds = a.seconds_to_prompt(0)
    scene.remark(f'the second Ctrl-C took {seconds * 1000:.0f} ms')
    scene.expect_equal(a.modes(), modes, "the terminal's modes")


@step('Ctrl-\\: killed at once, at the first')
def ctrl_backslash(scene):
    scene.worker(STUBBORN)
    a = scene.terminal()
    a.type('sergeantcg --stop-timeout 1h -- ./worker')
    a.wait(r'stubborn \d+ works')
    a.press('Ctrl-\\')
    a.prompt(0)


@step('a worker that will not finish is killed after its grace')
def grace(scene):
    scene.worker(STUBBORN)
    a = scene.terminal()
    a.type('sergeantcg --stop-timeout 300ms -- ./worker')
    a.wait(r'stubborn \d+ works')
    a.press('Ctrl-C')
    a.wait('signal 9')
    a.prompt(0)


@step('Ctrl-Z and fg: stopped like any job, goes on')
def ctrl_z(scene):
    scene.worker()
    a = scene.terminal()
    a.type('sergeantcg -- ./worker')
    worker, = scene.workers(a, 1)
    a.wait('polite')
    a.press('Ctrl-Z')
    a.prompt(148)
    os.kill(worker, signal.SIGKILL)
    a.type('fg')
    a.wait(rf'worker\({worker}\) was respawned as worker\(\d+\)')
    a.press('Ctrl-C')
    a.prompt(0)


@step('the window is closed: the workers are ended with it')
def window_closed(scene):
    scene.worker()
    a = scene.terminal()
    a.type('sergeantcg --concurrent-workers 2 -- ./worker')
    supervisor = scene.supervisor(a)
    scene.all_ready(a)
    for _ in range(2):
        a.wait(r'polite \d+ works')
    a.close()
    scene.wait_for_end(supervisor)


@step('nohup: survives the window, ends on SIGTERM')
def survives_with_nohup(scene):
    scene.worker()
    scene.place.expect_file('nohup.out')
    a = scene.terminal()
    a.type('nohup sergeantcg --concurrent-workers 2 -- ./worker &')
    b = scene.terminal('B')
    b.type('tail -F nohup.out 2>/dev/null')
    supervisor = scene.supervisor(b)
    workers = scene.workers(b, 2)
    scene.all_ready(b)
    a.leave()
    # It was hung up, and goes on: a worker that is killed now is replaced.
    os.kill(workers[0], signal.SIGKILL)
    b.wait(rf'worker\({workers[0]}\) was respawned as')
    b.press('Ctrl-C')
    b.prompt(None)
    b.run(f'kill {supervisor}')
    scene.wait_for_end(supervisor)


@step('kill -STOP and -CONT of the supervisor: what died meanwhile is replaced')
def stopped_and_continued(scene):
    scene.worker()
    a, b = scene.terminal(), scene.terminal('B')
    a.type('sergeantcg --concurrent-workers 2 -- ./worker')
    supervisor = scene.supervisor(a)
    workers = scene.workers(a, 2)
    scene.all_ready(a)
    b.run(f'kill -STOP {supervisor}')
    b.run(f'kill -KILL {workers[0]} {workers[1]}')
    b.run(f'kill -CONT {supervisor}')
    for _ in workers:
        a.wait('was respawned as')
    # bash shows its prompt when its job is stopped by somebody else, and `fg` brings it back.
    b.run(f'kill {supervisor}')
    a.wait('no more workers to supervise')
    scene.wait_for_end(supervisor)


@step('kill -9 of the supervisor, then started again: leftovers are cleared')
def killed_and_started_again(scene):
    scene.worker()
    a = scene.terminal()
    a.type('sergeantcg --concurrent-workers 2 -- ./worker')
    supervisor = scene.supervisor(a)
    workers = scene.workers(a, 2)
    scene.all_ready(a)
    # What a worker says later would stand behind the prompt.
    for _ in workers:
        a.wait('polite')
    os.kill(supervisor, signal.SIGKILL)
    a.prompt(137)
    scene.expect(set(workers) <= set(processes(scene.place.cgroup)), 'the workers ended with the supervisor')
    a.type('sergeantcg --concurrent-workers 2 -- ./worker')
    a.wait('killed .* that an earlier supervisor left')
    scene.all_ready(a)
    for worker in workers:
        scene.wait_for_end(worker)
    a.press('Ctrl-C')
    a.prompt(0)
    scene.expect_equal(children(scene.place.cgroup), [], 'the cgroups that are left')
