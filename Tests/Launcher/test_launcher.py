#!/usr/bin/env python3
"""What the launcher promises sergeantcg, tried against the real `sergeant`.

    SERGEANTCG_PYTHON=.build/venv/bin/python python3 -m unittest discover Tests/Launcher

SERGEANTCG_PYTHON is an interpreter that has `sergeant`; without it, the one running the tests.
"""
import datetime
import fcntl
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest

LAUNCHER = pathlib.Path(__file__).resolve().parents[2] / 'Sources/SergeantCG/Launcher/launcher.py'
PYTHON = os.environ.get('SERGEANTCG_PYTHON', sys.executable)
BOOTSTRAP = (
    "import os;s=os.pread(4,1<<20,0);os.close(4);"
    "exec(compile(s,'sergeantcg-launcher','exec'))"
)
DEADLINE = 60

PREAMBLE = '''
import atexit, os, signal, sys, threading, time
import sergeant

def await_word(name):
    with open(name, 'rb') as gate:
        gate.read(1)

def give_word(name):
    with open(name, 'wb') as gate:
        gate.write(b'.')

class Base(sergeant.worker.Worker):
    tasks = 1

    def generate_config(self):
        return sergeant.config.WorkerConfig(
            name='launcher_test',
            connector=sergeant.config.Connector(type='local', params={'file_path': 'queue.sqlite3'}),
            max_tasks_per_run=1,
        )

    def initialize(self):
        self.push_tasks(kwargs_list=[{}] * self.tasks)
'''


class Run:
    """One start of the launcher as sergeantcg starts it: channel on 3, source in a memfd on 4."""

    def __init__(self, directory, module, class_name, python=PYTHON, options=()):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        source = os.memfd_create('launcher', os.MFD_CLOEXEC)
        os.write(source, LAUNCHER.read_bytes())

        # Far from 3 and 4, so that no dup2 overwrites the other's source.
        high = [
            fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
            for descriptor in (theirs.fileno(), source)
        ]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [
                python, *options, '-c', BOOTSTRAP, '--report-descriptor=3',
                '--worker-module=' + module, '--worker-class=' + class_name,
            ],
            cwd=directory, preexec_fn=place, pass_fds=(3, 4), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for descriptor in (*high, source):
            os.close(descriptor)
        theirs.close()
        self.channel.settimeout(DEADLINE)
        self.lines = self.channel.makefile('rb')

    def next_message(self):
        """The next message; None where the channel ended."""
        line = self.lines.readline()
        if not line:
            return None
        if not line.endswith(b'\n'):
            raise AssertionError('a message was cut short: %r' % line[-80:])
        message = json.loads(line.decode('ascii'), parse_constant=self._refuse)
        if 'summary' in message:
            message['summary'] = json.loads(message['summary'], parse_constant=self._refuse)
        return message

    def finish(self):
        """Everything still to come, and the exit status."""
        messages = list(iter(self.next_message, None))
        self.output = self.process.communicate(timeout=DEADLINE)[0]
        self.close()
        return messages, self.process.returncode

    def close(self):
        self.lines.close()
        self.channel.close()

    @staticmethod
    def _refuse(constant):
        raise AssertionError('not JSON: ' + constant)


class LauncherTests(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix='launcher-test-')
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)

    def start(self, body, module='a_worker', class_name='Worker', preamble=PREAMBLE, **options):
        path = self.directory / (module + '.py')
        path.write_text(preamble + textwrap.dedent(body))
        return self.start_existing(module, class_name, **options)

    def start_existing(self, module, class_name='Worker', **options):
        run = Run(self.directory, module, class_name, **options)
        self.addCleanup(run.process.wait)
        self.addCleanup(run.process.kill)
        return run

    def gate(self, name):
        """A FIFO in the worker's directory: `await_word` and `give_word` are its ends there."""
        os.mkfifo(self.directory / name)
        # Both ends, so that neither side's open waits for the other.
        descriptor = os.open(self.directory / name, os.O_RDWR | os.O_CLOEXEC)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def wait_for(self, gate, run):
        """Waits until the worker gives the word."""
        ended = os.pidfd_open(run.process.pid)
        self.addCleanup(os.close, ended)
        ready = select.select([gate, ended], [], [], DEADLINE)[0]
        self.assertIn(gate, ready, 'the worker ended first' if ready else 'the worker did not give the word')

    def launch(self, body, **options):
        run = self.start(body, **options)
        messages, status = run.finish()
        self.output = run.output
        return messages, status

    def events(self, messages):
        return [message['event'] for message in messages]

    def assert_finished(self, messages, status, code, events=('loaded', 'ready', 'finished')):
        self.assertEqual(self.events(messages), list(events), self.output)
        self.assertEqual(messages[-1]['return_code'], code)
        self.assertEqual(status, code)
        self.assertNotIn('unkillable_threads', messages[-1])
        return messages[-1]

    # Every code of upstream.

    def test_code_0_finished(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def work(self, task):
                    pass
        '''), 0)
        self.assertIsNone(final['exception'])
        self.assertIsNone(final['stacktrace'])
        summary = final['summary']
        self.assertEqual(summary['return_code'], 0)
        self.assertIs(summary['respawn'], False)
        self.assertIs(summary['stop'], False)
        self.assertIsInstance(summary['executor']['total_wall_time'], float)
        self.assertLessEqual(
            datetime.datetime.fromisoformat(summary['start_time']),
            datetime.datetime.fromisoformat(summary['end_time']),
        )

    def test_code_1_abnormal(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def init_broker(self):
                    raise ConnectionError('no broker')
        '''), 1, ('loaded', 'finished'))
        self.assertEqual(final['exception'], "ConnectionError('no broker')")
        self.assertIn('in init_broker', final['stacktrace'])

    def test_code_1_bare_exception(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def __init__(self):
                    raise Exception()
        '''), 1, ('loaded', 'finished'))
        self.assertEqual(final['exception'], 'Exception()')

    def test_code_2_no_such_module(self):
        run = self.start_existing('no_such_worker')
        messages, status = run.finish()
        self.output = run.output
        final = self.assert_finished(messages, status, 2, ('finished',))
        self.assertIn("No module named 'no_such_worker'", final['exception'])

    def test_code_2_names_the_module_missing_inside(self):
        final = self.assert_finished(*self.launch('import no_such_dependency'), 2, ('finished',))
        self.assertIn("No module named 'no_such_dependency'", final['exception'])
        self.assertIn('a_worker.py', final['stacktrace'])

    def test_code_3_no_such_class(self):
        final = self.assert_finished(
            *self.launch('', class_name='NoSuchWorker'), 3, ('finished',))
        self.assertIn('NoSuchWorker', final['exception'])

    def test_code_4_respawn(self):
        for place in ('work(self, task)', 'finalize(self)'):
            with self.subTest(place):
                final = self.assert_finished(*self.launch('''
                    class Worker(Base):
                        def PLACE:
                            self.respawn()
                '''.replace('PLACE', place)), 4)
                self.assertIs(final['summary']['respawn'], True)

    def test_code_5_stop(self):
        for place in ('work(self, task)', 'finalize(self)'):
            with self.subTest(place):
                final = self.assert_finished(*self.launch('''
                    class Worker(Base):
                        def PLACE:
                            self.stop()
                '''.replace('PLACE', place)), 5)
                self.assertIs(final['summary']['stop'], True)

    def test_codes_4_and_5_from_initialize_are_never_ready(self):
        for code, action in ((4, 'respawn'), (5, 'stop')):
            with self.subTest(action):
                self.assert_finished(*self.launch('''
                    class Worker(Base):
                        def initialize(self):
                            self.ACTION()
                '''.replace('ACTION', action)), code, ('loaded', 'finished'))

    def test_code_6_initialize(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def initialize(self):
                    raise KeyError('a setting')
        '''), 6, ('loaded', 'finished'))
        self.assertEqual(final['exception'], "KeyError('a setting')")
        self.assertEqual(final['summary']['initialize_exception'], "KeyError('a setting')")
        self.assertIn('in initialize', final['stacktrace'])

    def test_code_6_executor(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def iterate_tasks(self):
                    raise ValueError('a queue')
        '''), 6)
        self.assertEqual(final['exception'], "ValueError('a queue')")

    def test_code_6_finalize(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def finalize(self):
                    raise OSError(28, 'No space')
        '''), 6)
        self.assertEqual(final['exception'], "OSError(28, 'No space')")

    def test_code_7_module_raises(self):
        final = self.assert_finished(
            *self.launch('raise RuntimeError("no licence")'), 7, ('finished',))
        self.assertEqual(final['exception'], "RuntimeError('no licence')")
        self.assertIn('a_worker.py', final['stacktrace'])

    # What is not a code of upstream.

    def test_exit_of_a_task_is_no_report(self):
        messages, status = self.launch('''
            class Worker(Base):
                def work(self, task):
                    sys.exit(2)
        ''')
        self.assertEqual(self.events(messages), ['loaded', 'ready'])
        self.assertEqual(status, 2)

    def test_python_without_sergeant(self):
        messages, status = self.launch('', preamble='', options=('-S', '-E'))
        self.assertEqual(self.events(messages), ['unavailable'])
        self.assertEqual(messages[0]['python'], os.path.abspath(PYTHON))
        self.assertIn("No module named 'sergeant'", messages[0]['exception'])
        self.assertEqual(status, 1)

    def test_interrupt_is_exit_0(self):
        run = self.start('''
            class Worker(Base):
                tasks = 0
        ''')
        self.assertEqual(run.next_message()['event'], 'loaded')
        self.assertEqual(run.next_message()['event'], 'ready')
        run.process.send_signal(signal.SIGINT)
        self.assertEqual(run.finish(), ([], 0))

    def test_stop_signal_ends_an_idle_worker_with_code_5(self):
        run = self.start('''
            class Worker(Base):
                tasks = 0
        ''')
        self.assertEqual(run.next_message()['event'], 'loaded')
        self.assertEqual(run.next_message()['event'], 'ready')
        run.process.send_signal(signal.SIGTERM)
        messages, status = run.finish()
        self.assertEqual([message['return_code'] for message in messages], [5])
        self.assertEqual(status, 5)

    # Readiness.

    def test_ready_comes_after_initialize_and_before_the_first_task(self):
        initializing, initialize, work = map(self.gate, ('initializing', 'initialize', 'work'))
        run = self.start('''
            class Worker(Base):
                def initialize(self):
                    super().initialize()
                    give_word('initializing')
                    await_word('initialize')

                def work(self, task):
                    await_word('work')
        ''')
        self.assertEqual(run.next_message()['event'], 'loaded')
        self.wait_for(initializing, run)
        run.channel.settimeout(0)
        self.assertEqual(run.lines.peek(1), b'')
        run.channel.settimeout(DEADLINE)
        os.write(initialize, b'.')
        self.assertEqual(run.next_message()['event'], 'ready')
        os.write(work, b'.')
        self.assertEqual(self.events(run.finish()[0]), ['finished'])

    def test_worker_is_left_as_it_is(self):
        self.assert_finished(*self.launch('''
            class Worker(Base):
                def work(self, task):
                    assert type(self) is Worker
                    assert 'initialize' not in vars(self)
                    assert Worker.initialize is Base.initialize
                    assert 'sergeantcg_worker' not in sys.modules
                    assert not os.get_inheritable(3)
                    assert sys.path[0] == os.getcwd(), sys.path

                def on_failure(self, task, exception):
                    os.abort()
        '''), 0)

    def test_initialize_of_the_object_itself(self):
        self.assert_finished(*self.launch('''
            class Worker(Base):
                def __init__(self):
                    super().__init__()
                    self.initialize = self.prepare

                def prepare(self):
                    open('prepared', 'w').close()
                    self.push_task(kwargs={})

                def work(self, task):
                    assert vars(self)['initialize'] == self.prepare

                def on_failure(self, task, exception):
                    os.abort()
        '''), 0)
        self.assertTrue((self.directory / 'prepared').exists())

    # The channel.

    def test_message_of_a_megabyte_arrives_whole(self):
        final = self.assert_finished(*self.launch('''
            class Worker(Base):
                def initialize(self):
                    raise Exception('x' * 1500000 + 'END')
        '''), 6, ('loaded', 'finished'))
        self.assertEqual(final['exception'], "Exception('" + 'x' * 1500000 + "END')")

    def test_supervisor_gone(self):
        work = self.gate('work')
        run = self.start('''
            class Worker(Base):
                def work(self, task):
                    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                    await_word('work')
                    self.respawn()
        ''')
        self.assertEqual(run.next_message()['event'], 'loaded')
        self.assertEqual(run.next_message()['event'], 'ready')
        run.close()
        os.write(work, b'.')
        output = run.process.communicate(timeout=DEADLINE)[0]
        self.assertEqual(run.process.returncode, 4, output)

    def test_forked_child_says_nothing_and_holds_nothing(self):
        done = self.gate('done')
        run = self.start('''
            class Worker(Base):
                def work(self, task):
                    if os.fork() == 0:
                        os.setsid()
                        await_word('done')
                        raise RuntimeError('a child goes on in the loop and reports')
        ''')
        events = self.events(iter(run.next_message, None))
        os.write(done, b'.')
        run.process.communicate(timeout=DEADLINE)
        run.close()
        self.assertEqual(events, ['loaded', 'ready', 'finished'])
        self.assertEqual(run.process.returncode, 0)

    def test_descriptor_taken_by_something_else(self):
        messages, status = self.launch('''
            import socket

            class Worker(Base):
                def work(self, task):
                    self.near, self.far = socket.socketpair()
                    os.dup2(self.far.fileno(), 3)

                def finalize(self):
                    atexit.register(self.look)

                def look(self):
                    self.near.setblocking(False)
                    try:
                        print('to a stranger:', self.near.recv(1000))
                    except BlockingIOError:
                        print('nothing to a stranger')
        ''')
        self.assertEqual(self.events(messages), ['loaded', 'ready'])
        self.assertEqual(self.output, 'nothing to a stranger\n')
        self.assertEqual(status, 0)

    def test_message_arrives_whole_through_signals(self):
        ticking = self.gate('ticking')
        run = self.start('''
            class Worker(Base):
                ticks = 0

                def tick(self, *_):
                    self.ticks += 1
                    if self.ticks == 50:
                        give_word('ticking')

                def initialize(self):
                    signal.signal(signal.SIGALRM, self.tick)
                    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
                    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
                    raise Exception('x' * 1500000)
        ''')
        # Unread, the message fills the socket, and the signals come while it is being written.
        self.wait_for(ticking, run)
        messages, status = run.finish()
        self.output = run.output
        self.assert_finished(messages, status, 6, ('loaded', 'finished'))

    def test_every_text_is_strict_json(self):
        final = self.assert_finished(*self.launch('''
            class Unprintable(Exception):
                def __repr__(self):
                    raise ValueError()

                def __str__(self):
                    return 'a name that is not UTF-8: \\udce9'

            class Worker(Base):
                def work_loop(self):
                    return {**super().work_loop(), 'executor_exception': Unprintable(),
                            'a': float('nan'), 'b': 2**70, 'c': 'caf\\udce9', 4: {'d': (1, None)}}
        '''), 6)
        self.assertEqual(final['exception'], '<Unprintable whose repr raised ValueError>')
        self.assertIn('not UTF-8: \\udce9', final['stacktrace'])
        summary = final['summary']
        self.assertEqual(
            [summary[key] for key in 'abc4'], ['nan', str(2**70), 'caf\\udce9', {'d': [1, None]}])

    # Threads.

    def test_background_threads_are_killed(self):
        for code, action in ((0, 'pass'), (5, 'self.stop()')):
            with self.subTest(action):
                self.assert_finished(*self.launch('''
                    class Worker(Base):
                        def work(self, task):
                            threading.Thread(target=self.hang).start()
                            ACTION

                        def hang(self):
                            # An exception set from outside comes only between two instructions.
                            while True:
                                time.sleep(0.05)
                '''.replace('ACTION', action)), code)

    def test_unkillable_threads(self):
        messages, status = self.launch('''
            class Worker(Base):
                def work(self, task):
                    threading.Thread(target=time.sleep, args=(3600,), name='stuck').start()
        ''')
        self.assertEqual(self.events(messages), ['loaded', 'ready', 'finished'])
        self.assertEqual(messages[-1]['unkillable_threads'], ['stuck'])
        self.assertEqual(messages[-1]['return_code'], 0)
        self.assertEqual(status, -signal.SIGKILL)

    def test_stop_signal_does_not_cut_the_report(self):
        begun = self.gate('the end has begun')
        run = self.start('''
            class Worker(Base):
                def work(self, task):
                    threading.Thread(target=self.linger, name='stuck').start()

                def linger(self):
                    try:
                        while True:
                            time.sleep(0.01)
                    except SystemExit:
                        give_word('the end has begun')
                        time.sleep(3600)
        ''')
        self.wait_for(begun, run)
        run.process.send_signal(signal.SIGTERM)
        messages, status = run.finish()
        self.assertEqual(self.events(messages), ['loaded', 'ready', 'finished'])
        self.assertEqual(status, -signal.SIGKILL)

    # Places.

    def test_directory_with_a_space(self):
        self.directory = self.directory / 'a place'
        self.directory.mkdir()
        self.assert_finished(*self.launch('class Worker(Base): pass'), 0)

    def test_module_in_a_package(self):
        (self.directory / 'pool').mkdir()
        (self.directory / 'pool' / 'crawl.py').write_text(PREAMBLE + 'class Worker(Base): pass')
        run = self.start_existing('pool.crawl')
        messages, status = run.finish()
        self.output = run.output
        self.assert_finished(messages, status, 0)


if __name__ == '__main__':
    unittest.main()
