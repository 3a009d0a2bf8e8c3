"""What a person types wrong, and what they are told."""
import os
import re

from step import step
from transcript import Unexpected

# A good value for every option, so that a typo in its name is the only mistake.
GOOD = {
    'N|auto': '2', 'size': '512M', 'count': '20', 'time': '5', 'signal': 'TERM', 'N/seconds': '5/60',
    'auto|text|json': 'text', 'debug|info|warning|error|critical': 'info',
}
# Options that take any words: what they cannot be.
FREE = {
    'worker-module': ["''"], 'worker-class': ["''"], 'python': ["''", 'no-such-python', '/'],
    'name': ["''", 'a/b', '.', '..', '"$(printf %0300d 0)"'],
    'env': ["''", 'NAMEONLY', '=x'], 'env-file': ["''", '/no/such/file'], 'working-directory': ["''", '/no/such/one'],
    'config': ["''", '/no/such/file', '/'], 'control': ["''", '/no/such/one/'], 'output': ["''", 'many'],
    'cgroup': ["''", '/no/such/cgroup', '..', '/x/../y'], 'accounting': ["''", '/no/such/account', '/', '/dev/null'],
}
NONSENSE = ["''", 'many', '-1', '99999999999999999999999', "'1 2'", '1e9', '+5', '½']


@step('no arguments')
def no_arguments(scene):
    a = scene.terminal()
    scene.refused(a, 'sergeantcg', 64, 'give a command after --', '--help')


@step('--help: fits a terminal of 80 x 24, and shows the three options that matter')
def help_alone(scene):
    a = scene.terminal()
    shown = a.run('sergeantcg --help')
    lines = shown.rstrip('\n').split('\n')
    longest = max(map(len, lines))
    scene.expect(longest <= 80, f'a line has {longest} columns')
    scene.expect(len(lines) <= 23, f'{len(lines)} lines and a prompt do not fit 24 rows')
    for option in ('--concurrent-workers', '--max-worker-memory-usage', '--memory-max', 'run --help'):
        scene.expect(option in shown, f'{option} is not shown')
    scene.expect_equal(a.run('sergeantcg -h'), shown, 'what -h shows')


@step('run --help: no line is wider than the terminal; every option is explained')
def help_of_run(scene):
    a = scene.terminal()
    shown = a.run('sergeantcg run --help')
    longest = max(shown.split('\n'), key=len)
    scene.expect(len(longest) <= 80, f'a line has {len(longest)} columns: {longest}')
    a.run('sergeantcg help run')
    a.run('sergeantcg --version')


@step('a missing --')
def missing_separator(scene):
    scene.worker()
    a = scene.terminal()
    scene.refused(a, 'sergeantcg ./worker', 64, r'sergeantcg -- \./worker$')
    scene.refused(
        a, 'sergeantcg --concurrent-workers 4 --memory-max=512M ./worker --its option', 64,
        r'sergeantcg --concurrent-workers 4 --memory-max=512M -- \./worker --its option$')
    scene.refused(a, "sergeantcg './my worker' 'its argument'", 64, r"sergeantcg -- '\./my worker' 'its argument'$")


@step('a mistyped subcommand')
def mistyped_subcommand(scene):
    a = scene.terminal()
    scene.refused(a, 'sergeantcg rnu --concurrent-workers 4 -- ./worker', 64, 'run|--')


@step('a typo in each option')
def typos(scene):
    a = scene.terminal()
    options = scene.help_options()
    scene.expect(len(options) >= 18, f'run --help shows only {len(options)} options')
    for option, takes in sorted(options.items()):
        middle = min(max(2, len(option) // 2), len(option) - 2)
        dropped = option[:middle] + option[middle + 1:]
        swapped = option[:middle] + option[middle + 1] + option[middle] + option[middle + 2:]
        for typo in {dropped, swapped} - {option}:
            value = '' if takes is None else ' ' + GOOD.get(takes, 'word')
            scene.refused(a, f'sergeantcg --{typo}{value} -- true', 64, f"Did you mean '--{option}'")


@step('each option with a bad value, and with none')
def bad_values(scene):
    a = scene.terminal()
    for option, takes in sorted(scene.help_options().items()):
        if takes is None:
            if option not in ('help', 'version'):
                scene.refused(a, f'sergeantcg --{option}=yes -- true', 64, f'--{option}')
            continue
        scene.refused(a, f'sergeantcg --{option} -- true', 64, f'(?i)value.*--{option}')
        for value in FREE.get(option, NONSENSE):
            refuse_value(scene, a, option, value)


def refuse_value(scene, terminal, option, value):
    """Whatever it is, it must not start: exit status 64, 69 or 1, one sentence that names option or value."""
    command = {
        'worker-module': '--worker-class Worker', 'worker-class': '--worker-module module',
        'python': '--worker-module module --worker-class Worker',
    }.get(option, '-- true')
    terminal.type(f'sergeantcg --{option}={value} {command}')
    end = terminal.wait(r'supervises in|\(\d+\) A\$ $')[0]
    if end.startswith('supervises'):
        terminal.press('Ctrl-C')
        terminal.prompt(None)
        raise Unexpected(f'--{option} took the value {value}')
    scene.expect(int(end[1:].partition(')')[0]) in (1, 64, 69), f'exit status {end}')
    shown = terminal.text[:terminal.text.rindex('\n')].rpartition(command + '\n')[2]
    word = value.strip("'")
    named = [f'--{option}', option.rpartition('-')[2]] + ([re.escape(word)] if word else [])
    scene.expect_sentence(shown, '|'.join(named))


@step('programs that cannot be run')
def cannot_run(scene):
    scene.place.file('script', '#!/bin/sh\n', 0o644)
    scene.place.file('no-interpreter', '#!/no/such/interpreter\n')
    scene.place.file('no-shebang', 'echo works; exec sleep infinity\n')
    (scene.place.work / 'dangling').symlink_to('nowhere')
    scene.place.expect_file('dangling')
    os.mkfifo(scene.place.work / 'pipe')
    scene.place.expect_file('pipe')
    a = scene.terminal()
    scene.refused(a, 'sergeantcg -- .', 1, r"'\.'.* directory")
    scene.refused(a, 'sergeantcg -- /tmp/', 1, 'directory')
    scene.refused(a, 'sergeantcg -- ./script', 1, r'chmod \+x')
    scene.refused(a, 'sergeantcg -- ./nothing', 1, './nothing.*No such file')
    scene.refused(a, 'sergeantcg -- nothing', 1, "no program 'nothing' on the PATH")
    scene.refused(a, 'sergeantcg -- worker.sh', 1, "no program 'worker.sh' on the PATH")
    scene.refused(a, "sergeantcg -- ''", 64, 'command')
    scene.refused(a, 'sergeantcg -- ./dangling', 1, 'dangling')
    scene.refused(a, 'sergeantcg -- ./pipe', 1, 'pipe.* file')
    scene.refused(a, 'sergeantcg -- ./script/worker', 1, 'Not a directory')
    for name, word in (('no-shebang', '#!'), ('no-interpreter', 'interpreter')):
        shown = a.run(f'sergeantcg -- ./{name}', 1)
        scene.expect(word in shown, f'the cause is not said: {word}')


@step('limits that contradict each other')
def contradictions(scene):
    a = scene.terminal()
    scene.refused(a, 'sergeantcg --memory-max 100M --max-worker-memory-usage 200M -- true', 64, 'must be below')
    scene.refused(a, 'sergeantcg --memory-max 100 -- true', 64, '1M')
    scene.refused(a, 'sergeantcg --concurrent-workers 0 -- true', 64, 'at least 1')
    scene.refused(a, 'sergeantcg --worker-module m -- true', 64, '--worker-class')
    scene.refused(a, 'sergeantcg --worker-module m --worker-class C -- true', 64, 'not both')
    scene.refused(a, 'sergeantcg --worker-class C', 64, '--worker-module')
    scene.refused(a, 'sergeantcg --backoff-initial 10 --backoff-max 1 -- true', 64, '--backoff-max')


@step('a limit that needs a controller which is not there')
def no_controller(scene):
    a = scene.terminal()
    if 'memory' in scene.place.hour.controllers:
        scene.remark('the memory controller is here: nothing to refuse')
        return
    scene.refused(a, 'sergeantcg --memory-max 512M -- true', 69, 'memory', r'cgroup\.controllers')
    scene.refused(a, 'sergeantcg --pids-max 20 -- true', 69, 'pids', r'cgroup\.controllers')
