"""The parts that need no program: where it is found, what its lines say, in which words."""
import ast
import logging
import os
import pathlib
import random
import re
import stat
import tempfile
import unittest
from unittest import mock

import sergeantcg
from sergeantcg import _binary, _lines, _words
from support import HERE, SOURCE

BASE = {'event': 'worker_exited', 'level': 'critical', 'message': "the program's own words", 'pid': 7}


class BinaryTests(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        environment = mock.patch.dict(os.environ, {'PATH': str(self.directory / 'bin')})
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop('SERGEANTCG_BINARY', None)

    def program(self, path, mode=0o755):
        path = self.directory / path
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\n')
        path.chmod(mode)
        return str(path)

    def test_the_argument_comes_before_the_variable_and_that_before_the_path(self):
        on_path = self.program('bin/sergeantcg')
        self.assertEqual(_binary.find(), on_path)
        os.environ['SERGEANTCG_BINARY'] = named = self.program('named')
        self.assertEqual(_binary.find(), named)
        given = self.program('given')
        self.assertEqual(_binary.find(given), given)
        self.assertEqual(_binary.find(pathlib.Path(given)), given)

    def test_one_that_is_nowhere_is_an_error_that_says_what_to_do(self):
        with self.assertRaises(sergeantcg.BinaryNotFound) as caught:
            sergeantcg.Supervisor('m', 'C', 1)
        for word in ('PATH', 'SERGEANTCG_BINARY', 'binary=', 'install'):
            self.assertIn(word, str(caught.exception))

    def test_one_that_is_named_and_not_there_is_never_replaced(self):
        self.program('bin/sergeantcg')
        with self.assertRaisesRegex(sergeantcg.BinaryNotFound, "binary names '/nowhere'"):
            _binary.find('/nowhere')
        os.environ['SERGEANTCG_BINARY'] = self.program('plain', stat.S_IRUSR)
        with self.assertRaisesRegex(sergeantcg.BinaryNotFound, "SERGEANTCG_BINARY names '.*plain'"):
            _binary.find()


class LineTests(unittest.TestCase):
    def test_pieces_of_any_size_make_the_same_lines(self):
        generator = random.Random(1)
        whole = [bytes(generator.choices(b'ab"{}\\\xff\r', k=generator.randrange(40))) for _ in range(200)]
        data = b'\n'.join(whole) + b'\nrest'
        for _ in range(200):
            reader, lines, start = _lines.LineReader(), [], 0
            while start < len(data):
                end = start + generator.randrange(1, 200)
                lines += reader.feed(data[start:end])
                start = end
            self.assertEqual(lines, whole)
            self.assertEqual(reader.finish(), b'rest')
            self.assertIsNone(reader.finish())

    def test_a_line_that_never_ends_takes_no_more_than_it_may(self):
        reader = _lines.LineReader(longest=100)
        for _ in range(50):
            self.assertEqual(list(reader.feed(b'x' * 99)), [])
        self.assertEqual(list(reader.feed(b'\nnext\n')), [b'x' * 100, b'next'])

    def test_what_is_no_line_of_the_log_is_none_and_raises_nothing(self):
        for line in (
            b'', b'{', b'[]', b'null', b'7', b'"event"', b'{}', b'[' * 100_000, b'9' * 10_000,
            b'{"event": 1, "level": "info", "message": ""}', b'{"event": "e", "level": "info"}',
            b'\xff\xfe', b'sergeantcg: a sentence', b'{"event": "e", "level": "info", "message": nul',
        ):
            with self.subTest(line[:40]):
                self.assertIsNone(_lines.parse(line))
        self.assertEqual(
            _lines.parse(b'{"event": "e", "level": "info", "message": "\xff"}')['message'], '\ufffd')

    def test_events_of_any_content_are_survived(self):
        generator = random.Random(2)
        values = [None, True, -1, 10**30, 'text', '{}', '[1]', '{"start_time": 3}', [], {}, ['a'], {'a': 1}]
        names = ['pid', 'reason', 'exit_code', 'signal', 'summary', 'exception', 'unkillable_threads', 'worker']
        texts = {
            'event': ['worker_exited', 'worker_started', 'supervisor_stopped', ''],
            'level': ['info', 'none', ''], 'message': ['m', ', ' + _words.NOT_RESPAWNED, ''],
        }
        reasons = ['failed', 'crashed', 'shutdown', 'stop_requested', 'finished']
        for _ in range(20_000):
            event = {name: generator.choice(values) for name in names if generator.random() < 0.7}
            event.update({name: generator.choice(some) for name, some in texts.items()})
            if generator.random() < 0.8:
                event.update(pid=7, reason=generator.choice(reasons))
            for record in _words.words(event, 'm', 'C'):
                self.assertIsInstance(record.message, str)
                self.assertIsInstance(record.level, int)


class WordTests(unittest.TestCase):
    def words(self, **event):
        return [
            (logging.getLevelName(level), message, summary is not None)
            for level, message, summary in _words.words({**BASE, **event}, 'crawl', 'Worker')
        ]

    def test_an_end_that_was_reported(self):
        for code, words in (
            (1, ('CRITICAL', "worker(7) execution has failed with the following exception: E('x')", True)),
            (2, ('CRITICAL', 'could not load worker module: crawl', False)),
            (3, ('CRITICAL', 'could not find worker class: crawl.Worker', False)),
            (6, ('CRITICAL', 'worker(7) internal execution has failed', True)),
            (7, (
                'CRITICAL', "worker(7) importing the worker module has raised an exception: E('x')", True)),
        ):
            with self.subTest(code):
                self.assertEqual(
                    self.words(reason='failed', exit_code=code, exception="E('x')", summary='{}'), [words])

    def test_an_end_of_which_nobody_reported(self):
        self.assertEqual(
            self.words(reason='failed', exit_code=2),
            [('CRITICAL', 'worker(7) execution has been interrupted with return code: 2', False)])
        self.assertEqual(
            self.words(reason='crashed', signal=11),
            [('CRITICAL', 'worker(7) execution has been interrupted with return code: -11', False)])
        # Of its own it has more to say than upstream knew.
        self.assertEqual(
            self.words(reason='oom_killed', signal=9), [('CRITICAL', "the program's own words", False)])

    def test_a_stop(self):
        stopped = [
            ('INFO', 'worker(7) has requested to stop', True), ('INFO', 'worker(7) has stopped', False)]
        own = "worker(7) has stopped (signal 15)"
        last = own + ', ' + _words.NOT_RESPAWNED
        self.assertEqual(self.words(reason='stop_requested', exit_code=5, summary='{}'), stopped)
        self.assertEqual(
            self.words(reason='shutdown', exit_code=5, summary='{}', message=last), stopped)
        self.assertEqual(
            self.words(reason='shutdown', signal=15, message=last, level='info'),
            [('INFO', own, False), ('INFO', _words.NOT_RESPAWNED, False)])
        self.assertEqual(
            self.words(reason='shutdown', exit_code=0, summary='{}', message=last),
            [
                ('INFO', 'worker(7) has finished successfully', True),
                ('INFO', _words.NOT_RESPAWNED, False),
            ])

    def test_threads_are_told_of_first(self):
        words = _words.words(
            {**BASE, 'reason': 'finished', 'exit_code': 0, 'summary': '{}', 'unkillable_threads': ['a']},
            'crawl', 'Worker')
        self.assertEqual(words[0][:2], (logging.WARNING, "worker(7) had unkillable_threads: ['a']"))
        self.assertEqual(words[1].summary, {'unkillable_threads': ['a'], 'return_code': 0})


class PackageTests(unittest.TestCase):
    def test_it_is_python_3_9(self):
        for path in (SOURCE / 'sergeantcg').glob('*.py'):
            ast.parse(path.read_text(), str(path), feature_version=(3, 9))

    def test_its_version_is_the_programs(self):
        swift = (HERE.parents[1] / 'Sources/SergeantCG/Version.swift').read_text()
        project = (HERE.parent / 'pyproject.toml').read_text()
        self.assertIn('current = "{}"'.format(sergeantcg.__version__), swift)
        self.assertIn('\nversion = "{}"\n'.format(sergeantcg.__version__), project)

    def test_it_needs_the_standard_library_alone(self):
        import sys
        for path in (SOURCE / 'sergeantcg').glob('*.py'):
            for line in re.findall(r'^(?:import|from) (\w+)', path.read_text(), re.MULTILINE):
                self.assertIn(line, sys.stdlib_module_names)


if __name__ == '__main__':
    unittest.main()
