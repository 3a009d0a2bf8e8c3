"""Limits of memory, on a kernel with the memory controller: scripts/in-cgroup2."""
import signal
import unittest

from support import CallerTest

MEBIBYTE = 1 << 20


class MemoryTests(CallerTest):
    def test_a_worker_over_its_limit_is_recycled_in_upstreams_words(self):
        caller = self.call(
            'Holds', limit=100 * MEBIBYTE, environment={'TEST_HOLD': str(120 * MEBIBYTE)})
        record = caller.wait_for('exceeded the maximum memory limit: ')
        self.assertEqual(record['level'], 'WARNING')
        worker, _, held = record['message'].partition(' exceeded the maximum memory limit: ')
        self.assertGreater(int(held), 100 * MEBIBYTE)
        self.assertEqual(record['extra']['supervisor']['max_worker_memory_usage'], 100 * MEBIBYTE)
        self.assertEqual(record['extra']['sergeantcg']['event'], 'worker_memory_limit')
        self.assertEqual(record['extra']['sergeantcg']['memory_limit'], 100 * MEBIBYTE)
        caller.wait_for('{} was respawned as worker('.format(worker))
        end = caller.wait_for(
            lambda told: told.get('extra', {}).get('sergeantcg', {}).get('event') == 'worker_exited')
        self.assertEqual(end['extra']['sergeantcg']['reason'], 'memory_limit')
        self.assertGreater(end['extra']['sergeantcg']['memory_peak'], 100 * MEBIBYTE)
        caller.wait_for_output()
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)

    def test_one_over_the_hard_limit_is_killed_and_replaced(self):
        caller = self.call(
            'Holds', options=['--memory-max', '100M'], environment={'TEST_HOLD': str(200 * MEBIBYTE)})
        record = caller.wait_for('the kernel killed it for its memory')
        self.assertEqual(record['level'], 'CRITICAL')
        self.assertEqual(record['extra']['sergeantcg']['reason'], 'oom_killed')
        caller.wait_for('was respawned as')
        caller.wait_for_output()
        caller.send(signal.SIGTERM)
        self.assertEqual(caller.wait_for_end(), 0)

    def test_a_limit_may_be_a_float_as_upstream_takes_it(self):
        caller = self.call(limit=0.1e9, deeds={'all workers are ready': ['stop']})
        self.assertEqual(caller.wait_for_end(), 0)


if __name__ == '__main__':
    unittest.main()
