"""Whether what was promised holds: from facts alone, a list of (holds, sentence)."""
import plan
import view

NAMED = 20  # in a sentence


def judge(history, done, midst, exit_status, processes, cgroups):
    numbers = {task['number'] for task in plan.tasks()}
    missing = numbers - set(done)
    lost = {
        number: identity for identity, number in midst.items()
        if number in missing and identity in history.deaths
    }
    lost_to_oom = {
        number for number, identity in lost.items() if history.deaths[identity].is_oom_kill
    }
    recycled = {death.identity for death in history.recycles}

    def names(items):
        first = [str(item) for item in sorted(items)[:NAMED]]
        return ', '.join(first) + (f' and {len(items) - NAMED} more' if len(items) > NAMED else '')

    def check(holds, sentence, otherwise):
        return holds, sentence if holds else otherwise

    unexplained = missing - lost_to_oom
    yield check(
        not unexplained,
        f'{len(numbers) - len(missing)} of {len(numbers)} tasks are done, and each of the other '
        f'{len(missing)} was in the midst of a worker that the kernel killed',
        f'tasks that are not done, with no OOM kill to explain it: {names(unexplained)}')

    twice = {number for number, count in done.items() if count != 1}
    yield check(not twice, 'none is done twice', f'tasks done more than once: {names(twice)}')

    survived = plan.FLOODS - lost_to_oom
    spared = len(history.oom_kills) == len(plan.FLOODS) and not survived
    yield check(
        spared,
        f'each of the {len(plan.FLOODS)} floods ended in one OOM kill, and no other worker was killed',
        f'{len(plan.FLOODS)} floods, {len(history.oom_kills)} OOM kills; floods not killed: '
        f'{names(survived) or "none"}')

    lost_to_recycle = {number for number, identity in lost.items() if identity in recycled}
    yield check(
        bool(recycled) and not lost_to_recycle,
        f'no task was lost to a recycle ({len(recycled)} recycles)',
        f'tasks lost to a recycle: {names(lost_to_recycle)}' if recycled else 'no worker was recycled')

    killed = {death.identity for death in history.recycles if death.signal is not None}
    yield check(
        not killed, 'every recycled worker ended by itself, within its grace time',
        f'recycled workers that had to be killed: {names(killed)}')

    over = {
        death.identity for death in history.deaths.values()
        if death.memory_peak is None or death.memory_peak > plan.KILL_BYTES
    }
    yield check(
        not over, f'no worker ever had more than {view.mebibytes(plan.KILL_BYTES)}',
        f'workers whose peak is unknown or over {view.mebibytes(plan.KILL_BYTES)}: {names(over)}')

    odd = [death for death in history.deaths.values() if not death.is_expected]
    yield check(
        not odd and not history.alive, 'no worker ended in any other way',
        'workers that ended in another way: '
        + '; '.join([f'{death.identity} {death.reason}: {death.message}' for death in odd]
                    + [f'{identity} with no word of its end' for identity in sorted(history.alive)]))

    yield check(
        exit_status == 0, 'sergeantcg stopped when asked, with exit status 0',
        f'sergeantcg ended with exit status {exit_status}')
    yield check(not processes, 'no process is left', f'processes left: {", ".join(processes)}')
    yield check(not cgroups, 'no cgroup is left', f'cgroups left: {", ".join(cgroups)}')
