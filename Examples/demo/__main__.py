"""Five hundred tasks, four workers, leaks and floods; watched as it happens, then verified.

    scripts/demo

starts this where a cgroup v2 with the memory controller is at hand. Exit status 0 if every promise
held, 1 if one did not.
"""
import argparse
import queue
import tempfile
import time

import redis
import sergeant

import history
import plan
import pool
import verdict
import view

DEADLINE = 150  # seconds for all tasks
GRACE = 20      # seconds for the end


def push(broker):
    """Puts the tasks into the queue the way any producer of `sergeant` does."""
    url = broker.client.connection_pool.connection_kwargs
    connector = sergeant.connector.redis.Connector(nodes=[
        {'host': url['host'], 'port': url['port'], 'password': url['password'], 'database': 0},
    ])
    encoder = sergeant.encoder.encoder.Encoder(compressor_name=None, serializer_name='pickle')
    sergeant.broker.Broker(connector=connector, encoder=encoder).push_tasks(
        plan.QUEUE, [sergeant.objects.Task(kwargs=task) for task in plan.tasks()])


def is_settled(story, done, midst):
    """Every task is done, or its worker is dead."""
    dead = {number for identity, number in midst.items() if identity in story.deaths}
    return len(dead | set(done)) == plan.TASKS


def watch(supervisor, broker, screen):
    """Shows what happens until sergeantcg has ended; its history."""
    story = history.History()
    deadline = time.monotonic() + DEADLINE
    next_look = 0
    stopping = False
    while True:
        try:
            line = supervisor.lines.get(timeout=0.1)
            if line is None:
                return story
            death = story.take(line)
            if death:
                task = broker.client.hget(plan.MIDST, death.identity)
                screen.death(death, int(task) if task else None)
        except queue.Empty:
            pass

        now = time.monotonic()
        if now >= next_look:
            next_look = now + 0.25
            done, midst = broker.ledger()
            screen.progress(len(done), story)
            if not stopping and is_settled(story, done, midst):
                stopping = True
                supervisor.process.terminate()
                deadline = now + GRACE
            elif now > deadline:
                if stopping:
                    screen.say('sergeantcg did not stop, killing it', 'red')
                    supervisor.process.kill()
                    return story
                screen.say(f'not done within {DEADLINE} s, giving up', 'red')
                stopping = True
                supervisor.process.terminate()
                deadline = now + GRACE


def report(screen, story, midst, verdicts):
    screen.say()
    screen.say('Tasks that went with their worker (a broker that gives a task away keeps no copy):')
    for death in story.oom_kills:
        screen.say(
            f'  task {midst.get(death.identity, "none"):>3}  {death.identity:<12} OOM-killed, '
            f'peak {view.mebibytes(death.memory_peak)}')
    if any((death.memory_peak or 0) < plan.KILL_BYTES for death in story.oom_kills):
        screen.say(
            '  (Over the recycling limit a worker has a bounded headroom to end in; a flood uses it up.)')
    screen.say()
    for holds, sentence in verdicts:
        screen.say(f'  {"ok    " if holds else "FAILED"}  {sentence}', 'green' if holds else 'red')
    for line in story.other_lines[-20:]:
        screen.say(f'  said by a worker or sergeantcg: {line}')


def main():
    parser = argparse.ArgumentParser(prog='demo', description='Shows sergeantcg at work.')
    parser.add_argument('--sergeantcg', required=True, help='the program')
    parser.add_argument('--view', choices=('live', 'plain'), default='plain')
    arguments = parser.parse_args()

    screen = view.View(is_live=arguments.view == 'live')
    with tempfile.TemporaryDirectory(prefix='sergeantcg-demo-') as directory:
        broker = pool.Broker(directory)
        try:
            broker.wait()
            push(broker)
            cgroups = pool.Cgroups()
            supervisor = pool.Supervisor(arguments.sergeantcg, broker.url)
            screen.say(
                f'{plan.TASKS} tasks for {plan.WORKERS} workers; over '
                f'{view.mebibytes(plan.RECYCLE_BYTES)} a worker is recycled, at '
                f'{view.mebibytes(plan.KILL_BYTES)} the kernel kills it', 'bold')
            screen.say('  ' + ' '.join(supervisor.command))
            try:
                story = watch(supervisor, broker, screen)
                exit_status = supervisor.process.wait()
            finally:
                screen.end_progress()
                supervisor.end()
            done, midst = broker.ledger()
            verdicts = list(verdict.judge(
                story, done, midst, exit_status, supervisor.processes_left(), cgroups.left()))
        finally:
            broker.end()
    report(screen, story, midst, verdicts)
    seconds = time.monotonic() - screen.start
    held = all(holds for holds, _ in verdicts)
    screen.say()
    screen.say(
        f'{"Everything held" if held else "NOT everything held"}, in {seconds:.0f} s.', 'bold')
    return 0 if held else 1


if __name__ == '__main__':
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130)
