"""What a caller sees of the package: real workers of `sergeant`, the real program, a real cgroup."""
import os
import re
import signal
import stat
import subprocess
import sys
import unittest

from support import CallerTest, Watched

STARTED = 'spawned a new worker at pid: '
#: Events of which upstream says something too.
UPSTREAMS = {'worker_started', 'worker_exited', 'supervisor_stopped', None}


class UpstreamTests(CallerTest):
    """Each case under upstream's class and under ours: the same records, but for what only ours tells."""

    def compare(self, worker, until, module='workers', statuses=(0, 0), stop=True):
        ways = []
        for face in ('upstream', 'sergeantcg'):
            for path in self.directory.iterdir():
                path.unlink()
            caller = self.call(worker, module, face=face)
            caller.wait_for(until)
            if stop:
                caller.wait_for_output()
                caller.send(signal.SIGTERM)
            ways.append((caller, caller.wait_for_end()))
        self.assertEqual([status for _, status in ways], list(statuses))
        upstreams, ours = ([self.plain(record) for record in caller.records] for caller, _ in ways)
        self.assertEqual(
            [one for one in ours if one is not None], [one for one in upstreams if one is not None])
        return ways[1][0]

    def plain(self, record):
        """The record without what differs from run to run; None for one that only ours has."""
        extra = record['extra']
        if extra.get('sergeantcg', {}).get('event') not in UPSTREAMS:
            return None
        # Upstream's end leaves its worker to a kill.
        if record['message'].startswith('killing a worker: '):
            return None
        summary = extra.get('summary')
        if summary is not None:
            summary = {
                name: type(value).__name__ if name in ('executor', 'start_time', 'end_time', 'stacktrace') else value
                for name, value in summary.items()
            }
        return (
            record['level'], re.sub(r'\d{2,}', 'P', record['message']), record['logger'], record['thread'],
            extra['supervisor'], summary,
        )

    def test_success(self):
        caller = self.compare('Succeeds', 'was respawned as')
        end = caller.wait_for('has finished successfully')['extra']
        self.assertEqual(end['sergeantcg']['event'], 'worker_exited')
        self.assertEqual(end['sergeantcg']['reason'], 'finished')
        self.assertIn('datetime.datetime(', end['summary']['start_time'])
        self.assertIn('total_wall_time', end['summary']['executor'])

    def test_initialize_fails(self):
        self.compare('FailsInInitialize', 'was respawned as')

    def test_finalize_fails(self):
        self.compare('FailsInFinalize', 'was respawned as')

    def test_abnormal_end(self):
        self.compare('FailsAbnormally', 'was respawned as')

    def test_respawn(self):
        self.compare('AsksToRespawn', 'was respawned as')

    def test_stop(self):
        self.compare('AsksToStop', 'exiting...', stop=False)

    # Upstream's exit status says nothing of a failure.

    def test_no_module(self):
        self.compare('Worker', 'exiting...', 'no_such_module', statuses=(0, 1), stop=False)

    def test_no_class(self):
        self.compare('NoSuchWorker', 'exiting...', statuses=(0, 1), stop=False)

    def test_module_raises(self):
        self.compare('Worker', 'exiting...', 'raises_at_import', statuses=(0, 1), stop=False)


class LogTests(CallerTest):
    def test_without_a_logger_it_is_upstreams_on_standard_error_and_output_is_inherited(self):
        caller = self.call('Prints', logger='none', environment={'TEST_VARIABLE': 'of the caller'})
        caller.wait_for_output()
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(caller.text(caller.output), 'a line on standard output\nwaiting\n')
        errors = caller.text(caller.errors).splitlines()
        self.assertEqual(errors.count('a line on standard error'), 1, errors)
        errors.remove('a line on standard error')
        pattern = r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Supervisor   %d (INFO|WARNING)\s+\S.*' % caller.process.pid
        for line in errors:
            self.assertRegex(line, '^' + pattern + '$')
        self.assertTrue(any(STARTED in line for line in errors))
        self.assertEqual(self.notes('place'), [str(self.directory)])
        self.assertEqual(self.notes('variable'), ['of the caller'])
        # A socket is the report channel; of the caller's and the program's pipes and the like there is none.
        kinds = self.notes('descriptors')
        self.assertEqual(kinds.count('socket'), 1, kinds)
        self.assertFalse({'pipe', 'anon_inode'} & set(kinds), kinds)

    def test_an_exception_of_a_megabyte_arrives_whole(self):
        caller = self.call('SpeaksAtLength')
        record = caller.wait_for('internal execution has failed')
        self.assertEqual(record['level'], 'CRITICAL')
        text = record['extra']['sergeantcg']['exception']
        self.assertEqual(text, "Exception('" + 'x' * 1_000_000 + "END')")
        self.assertEqual(record['extra']['summary']['initialize_exception'], text)

    def test_a_logger_that_raises_does_not_end_supervision(self):
        caller = self.call('Succeeds', logger='raising')
        caller.wait_for_output()
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(caller.text(caller.errors).count('Traceback'), 1)
        self.assertIn('this logger is broken', caller.text(caller.errors))

    def test_a_logger_that_wants_it_is_told_the_details(self):
        caller = self.call(level='DEBUG')
        record = caller.wait_for('is ready')
        self.assertEqual(record['level'], 'DEBUG')

    def test_a_worker_that_is_killed_is_told_in_upstreams_words(self):
        """Upstream itself takes many a kill for a success."""
        caller = self.call('IsKilled')
        record = caller.wait_for('execution has been interrupted with return code: ')
        self.assertEqual(record['level'], 'CRITICAL')
        self.assertRegex(
            record['message'], r'^worker\(\d+\) execution has been interrupted with return code: -9$')
        self.assertEqual(record['extra']['sergeantcg']['signal'], 9)

    def test_a_task_that_exits_with_2_is_no_missing_module(self):
        caller = self.call('ExitsWithTwo')
        record = caller.wait_for('execution has been interrupted with return code: 2')
        caller.wait_for('was respawned as')
        self.assertNotIn('summary', record['extra'])

    def test_why_it_cannot_start_is_in_the_log(self):
        for options, words, status in (
            (['--no-such-option'], "Unknown option '--no-such-option'", 64),
            (['--config', '/nowhere.yaml'], '--worker-module cannot be given beside --config', 64),
            (['--cgroup', '/nowhere/at/all'], '/nowhere/at/all', 69),
        ):
            with self.subTest(options):
                caller = self.call(options=options)
                self.assertEqual(caller.wait_for_end(), status)
                last = caller.records[-1]
                self.assertEqual(last['level'], 'CRITICAL')
                self.assertIn(words, last['message'])
                self.assertEqual(last['extra']['sergeantcg']['event'], 'supervisor_failed')
                self.assertEqual(caller.text(caller.errors), '')


class StopTests(CallerTest):
    def test_sigterm_stops_gracefully_and_is_waited_for(self):
        caller = self.call('CleansUp', count=2)
        caller.wait_for_output(times=2)
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(len(self.notes('cleaned')), 1)
        messages = [record['message'] for record in caller.records]
        self.assertIn('SIGTERM was received, triggering a stopping process', messages)
        self.assertEqual(messages[-2:], ['no more workers to supervise', 'exiting...'])
        self.assertEqual(caller.records[-1]['workers'], [])

    def test_sigint_stops_gracefully_and_is_waited_for(self):
        caller = self.call('CleansUp')
        caller.wait_for_output()
        caller.send(signal.SIGINT)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(len(self.notes('cleaned')), 1)
        self.assertEqual(caller.told[-1], {'exit': 0, 'statuses': []})

    def test_a_second_sigint_kills(self):
        caller = self.call('IgnoresSignals', options=['--stop-timeout', '1h'])
        caller.wait_for_output('ignoring')
        caller.send(signal.SIGINT)
        caller.wait_for('the same again kills the workers at once')
        caller.send(signal.SIGINT)
        self.assertEqual(caller.wait_for_end(), 0)

    def test_sigterm_before_the_start_starts_nothing(self):
        caller = self.call(early='SIGTERM')
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(
            [record['message'] for record in caller.records],
            [
                'SIGTERM was received, triggering a stopping process', 'no more workers to supervise',
                'exiting...',
            ])

    def test_no_workers_are_an_end(self):
        caller = self.call(count=0)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(caller.records[-1]['message'], 'exiting...')

    def test_the_flag_stops_it(self):
        caller = self.call(deeds={STARTED.rstrip(': '): ['set_flag']})
        record = caller.wait_for(STARTED)
        self.assertEqual(record['workers'], [int(record['message'].rpartition(' ')[2])])
        self.assertEqual(caller.wait_for_end(), 0)

    def test_an_exit_in_a_handler_of_the_callers_leaves_nothing(self):
        caller = self.call(deeds={'all workers are ready': ['exit_in_handler']})
        self.assertEqual(caller.wait_for_end(), 42)
        self.assertIn('exiting...', [record['message'] for record in caller.records])


class ThreadTests(CallerTest):
    def test_start_on_another_thread(self):
        caller = self.call('Succeeds', thread='start')
        record = caller.wait_for('was respawned as')
        self.assertFalse(record['thread'])
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)

    def test_all_of_it_on_another_thread(self):
        caller = self.call(thread='all', deeds={'all workers are ready': ['stop']})
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertIn({'exit': 0, 'statuses': []}, caller.told)


class ProcessTests(CallerTest):
    def killed(self, number, **wish):
        caller = self.call('CleansUp', **wish)
        worker = Watched(self, int(caller.wait_for(STARTED)['message'].rpartition(' ')[2]))
        supervisor = self.supervisor_of(caller)
        caller.wait_for_output()
        caller.send(number)
        self.assertEqual(caller.wait_for_end(), -number)
        self.assertTrue(supervisor.has_ended())
        self.assertTrue(worker.has_ended(0))
        # Gracefully: nobody waited for it, yet it had its time.
        self.assertEqual(len(self.notes('cleaned')), 1)

    def test_a_caller_that_is_killed_leaves_no_orphan(self):
        self.killed(signal.SIGKILL)

    def test_nor_does_one_whose_supervisor_is_on_another_thread(self):
        self.killed(signal.SIGKILL, thread='start')

    def test_a_program_that_is_killed_is_told_of(self):
        caller = self.call()
        caller.wait_for('all workers are ready')
        supervisor = self.supervisor_of(caller)
        os.kill(supervisor.pid, signal.SIGKILL)
        # The end of its streams does not come: the worker that is left holds them.
        self.assertEqual(caller.wait_for(lambda told: 'exit' in told)['exit'], 1)
        self.assertEqual(caller.process.wait(60), 1)
        self.assertEqual(caller.records[-1]['level'], 'CRITICAL')
        self.assertIn('sergeantcg was ended by signal 9', caller.records[-1]['message'])
        # The next start ends what was left.
        caller = self.call(deeds={'all workers are ready': ['stop']})
        self.assertEqual(caller.wait_for_end(), 0)

    def test_statuses_of_other_children_are_left_alone(self):
        caller = self.call('Succeeds', child=True, deeds={'all workers are ready': ['child_that_ends_with_7']})
        caller.wait_for('was respawned as')
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertEqual(caller.told[-1]['statuses'], [7, 7])

    def test_a_caller_that_takes_any_status_is_survived(self):
        caller = self.call('AsksToStop', deeds={STARTED.rstrip(': '): ['steal']})
        self.assertEqual(caller.wait_for_end(), 0)
        # Who is first is not ours to say. Nobody takes it twice, and no 0 is made up.
        was_stolen = any('stolen' in told for told in caller.told)
        is_told = 'how sergeantcg ended is not known' in caller.records[-1]['message']
        self.assertTrue(is_told or not was_stolen, caller.told)

    def test_a_caller_that_ignores_its_children_is_survived(self):
        caller = self.call('AsksToStop', ignore_children=True)
        self.assertEqual(caller.wait_for_end(), 0)
        self.assertIn('how sergeantcg ended is not known', caller.records[-1]['message'])

    def test_a_fork_of_the_caller_holds_up_nothing_and_is_none_of_its(self):
        caller = self.call('CleansUp', deeds={'all workers are ready': ['fork_that_stays']})
        fork = Watched(self, caller.wait_for(lambda told: 'fork' in told)['fork'])
        os.kill(fork.pid, signal.SIGTERM)
        # It inherits the handler, and dies of it all the same, and alone.
        self.assertTrue(fork.has_ended())
        self.assertIsNone(caller.process.poll())
        caller.wait_for_output()
        self.assertEqual([r for r in caller.records if 'SIGTERM' in r['message']], [])
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)

    def test_a_fork_that_outlives_the_program_holds_up_nothing(self):
        caller = self.call(deeds={'all workers are ready': ['fork_that_stays', 'stop']})
        fork = Watched(self, caller.wait_for(lambda told: 'fork' in told)['fork'])
        # The end of its streams would not come: the fork holds them.
        self.assertEqual(caller.wait_for(lambda told: 'exit' in told), {'exit': 0, 'statuses': []})
        self.assertEqual(caller.process.wait(60), 0)
        self.assertFalse(fork.has_ended(0))
        os.kill(fork.pid, signal.SIGKILL)


class StandInTests(CallerTest):
    """A program in the place of ours that says what ours never would."""

    def call_standing_in(self, body):
        program = self.directory / 'stand-in'
        program.write_text('#!{}\nimport os, signal, sys\nlog = int(sys.argv[3])\n{}'.format(sys.executable, body))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return self.call(keywords={'binary': str(program)})

    def test_garbage_is_told_and_survived(self):
        caller = self.call_standing_in(
            'os.write(log, b"Traceback\\n\\xff\\xfe\\n[1]\\n\\n")\n'
            'data = b\'{"event": "e", "level": "warning", "message": "\' + b"x" * 1000000 + b\'"}\\n\'\n'
            'while data: data = data[os.write(log, data[:777]):]\n'
            'os.write(log, b\'{"event": "e", "level": "no", "message": "m", "name": 1, "msg": 2}\\n\')\n'
        )
        self.assertEqual(caller.wait_for_end(), 0)
        unreadable = [record for record in caller.records if 'no line of its log' in record['message']]
        self.assertEqual(
            [record['message'].rpartition(': ')[2] for record in unreadable],
            ['Traceback', '\\xff\\xfe', '[1]', ''])
        self.assertEqual({record['level'] for record in unreadable}, {'WARNING'})
        self.assertEqual(caller.records[4]['message'], 'x' * 1_000_000)
        self.assertEqual(caller.records[4]['level'], 'WARNING')
        self.assertEqual(caller.records[5]['extra']['sergeantcg']['msg'], 2)

    def test_a_death_in_the_midst_of_a_line(self):
        caller = self.call_standing_in(
            'os.write(log, b\'{"event": "e", "level": "info", "mess\')\nos.kill(os.getpid(), signal.SIGSEGV)\n')
        self.assertEqual(caller.wait_for_end(), 1)
        self.assertIn('no line of its log: {"event": "e"', caller.records[0]['message'])
        self.assertIn('sergeantcg was ended by signal 11', caller.records[1]['message'])

    def test_an_exit_without_a_word(self):
        caller = self.call_standing_in('sys.exit(70)\n')
        self.assertEqual(caller.wait_for_end(), 70)
        self.assertIn('exit status 70: what it said is on standard error', caller.records[-1]['message'])


class DescriptorTests(unittest.TestCase):
    def test_the_program_takes_only_a_descriptor_that_was_inherited(self):
        for number in ('9', '-1'):
            result = subprocess.run(
                [os.environ['SERGEANTCG_BINARY'], '--log-fd=' + number, '--', 'true'],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(result.returncode, 64, result)
            self.assertIn(b'is no inherited descriptor', result.stderr)

    def test_the_program_does_not_begin_where_the_parent_is_another_one(self):
        result = subprocess.run(
            [os.environ['SERGEANTCG_BINARY'], '--stop-with-parent', '1', '--', 'true'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(b'is not the parent', result.stderr)


if __name__ == '__main__':
    unittest.main()
