"""Holds what the supervisor said and did against what was done to it."""
import bisect
import collections
import os
import time

import machine
import pool
from surroundings import LIMITS

# What may be said without anything being wrong. The rest must be explained by what was done.
ORDINARY = {
    'supervisor_started', 'supervisor_ready', 'supervisor_stopping', 'supervisor_stopped', 'supervisor_reloading',
    'supervisor_upgraded', 'worker_started', 'worker_ready', 'worker_stopping', 'worker_exited', 'worker_backoff',
    'worker_memory_alarm', 'worker_memory_limit', 'worker_oom', 'worker_pids_limit', 'worker_leftovers',
    'worker_watchdog', 'worker_status', 'worker_paced', 'worker_leaving', 'roll_started', 'roll_ended',
}
# To what clones and the states of processes are known.
TICKS = 2 / os.sysconf('SC_CLK_TCK')
AFTERMATH = 1.5  # seconds in which what was undone may still be told of: one longest back-off and more


def tally(spells):
    return collections.Counter(spell.kind for spell in spells)


def overlap(spans, begin, end):
    """How much of that time lies in the spans, moments and durations."""
    return sum(max(0, min(at + took, end) - max(at, begin)) for at, took in spans)


class Verdict:
    def __init__(self, supervised, deeds, surroundings, probes, beats, births, unit):
        """`probes` are moments and durations of answers, `beats` what heartbeat.py saw, `births` what births.py did;
        `unit` is how long a start holds its parent up at rest, in seconds."""
        self.pool, self.deeds, self.surroundings = supervised, deeds, surroundings
        self.probes, self.unit = probes, unit
        self.stalls, self.running = ([beat[:2] for beat in beats if beat[2] == kind] for kind in ('stall', 'runs'))
        self.waits = [(at, took, function) for at, took, kind, *function in beats if kind == 'waits']
        self.births = {name: at for at, _, name in births}
        self.faults = []
        self.counts = collections.Counter()
        self.gaps = []
        # Without an upgrade under way, and with one.
        self.longest_blocked = [0, 0]
        self.lines = list(supervised.lines)

    def is_scarce(self, at):
        """Descriptors were few then, or had been."""
        return any(self.during(kind, at, at) for kind in LIMITS)

    def during(self, kind, begin, end, group=None):
        """A spell of the kind overlaps the time, or ended shortly before."""
        return any(
            spell.kind == kind and spell.begin <= end and (spell.end or end) + AFTERMATH >= begin
            and group in (None, spell.group)
            for spell in self.surroundings.spells)

    def check_end(self, status):
        """After the stop: all that was said, and that nothing is left."""
        self.lines = list(self.pool.lines)
        if status != 0:
            self.faults.append(f'stopped as asked, its exit status is {status}')
        if left := machine.cgroups_below(self.pool.ground):
            self.faults.append(f'cgroups are left: {left}')
        self.check_ends()
        self.check_events()
        self.check_gaps()
        self.check_probes()
        for stray in self.pool.strays:
            self.faults.append(f'not a line of the log: {stray[:200]}')

    # Who died of what.

    def check_ends(self):
        ends = collections.defaultdict(list)
        stopping = {}
        events = collections.defaultdict(set)
        for line in self.lines:
            if line.worker:
                events[line.incarnation_key].add(line.event)
            if line.event == 'worker_exited':
                ends[line.incarnation_key].append(line)
            elif line.event == 'worker_stopping':
                stopping[line.incarnation_key] = line
        explained = set()
        for deed in self.deeds.done:
            self.counts[f'deed: {deed.kind}'] += 1
            if deed.reason is None:
                continue
            mine = ends.get(deed.incarnation_key, [])
            if len(mine) != 1:
                self.faults.append(f'{deed.kind} of worker({deed.pid}) was told {len(mine)} times')
                continue
            line = mine[0]
            explained.add(id(line))
            ending = line.exit_code if line.signal is None else -line.signal
            # It was being replaced already, or the supervisor was stopping.
            other = stopping.get(deed.incarnation_key)
            if other and other.reason in ('restart', 'shutdown') and line.reason == other.reason:
                self.counts['deed: overtaken by a stop'] += 1
                continue
            if deed.reason == 'oom_killed' and line.reason == 'crashed' and self.could_not_know(line):
                self.counts['deed: not known for want of any descriptor'] += 1
                continue
            if line.reason != deed.reason or ending not in deed.endings:
                self.faults.append(
                    f'{deed.kind} of worker({deed.pid}) was told as {line.reason}, {ending}; it must be {deed.reason}, '
                    f'{deed.endings}: {line.message}')
            elif deed.event and deed.event not in events[deed.incarnation_key]:
                self.faults.append(f'{deed.kind} of worker({deed.pid}): no {deed.event} was told')
        for line in (line for lines in ends.values() for line in lines):
            self.counts[f'end: {line.reason}'] += 1
            if id(line) in explained:
                continue
            if line.reason in ('restart', 'shutdown') and line.incarnation_key in stopping:
                continue
            if line.reason == 'start_failed' and (
                    self.is_scarce(line.at) or self.during('freeze group', line.at, line.at)):
                continue
            self.faults.append(f'nothing was done to worker({line.pid}), told as {line.reason}: {line.message}')

    def could_not_know(self, line):
        """Where not one descriptor may be opened, the kernel's counters cannot be read, and that is said."""
        return self.during('forbid descriptors', line.at, line.at) and any(
            other.event == 'supervisor_trouble' and other.worker == line.worker
            and other.incarnation == line.incarnation and 'memory.events' in other.message for other in self.lines)

    def check_events(self):
        for line in self.lines:
            self.counts[f'event: {line.event}'] += 1
            if line.event in ORDINARY:
                continue
            scarce = self.is_scarce(line.at)
            if line.event in ('supervisor_trouble', 'supervisor_upgrade_refused') and scarce:
                continue
            if line.event == 'supervisor_trouble' and 'no message of sd_notify' in line.message and any(
                    deed.kind == 'chatter' and deed.worker == line.worker for deed in self.deeds.done):
                continue
            if line.event == 'supervisor_trouble' and 'has been removed' in line.message and any(
                    deed.kind == 'kill and rmdir' and deed.worker == line.worker for deed in self.deeds.done):
                continue
            if line.event == 'supervisor_reloaded' and (line.level == 'info' or scarce):
                continue
            self.faults.append(f'unexpected {line.event}: {line.message}')

    # How long a slot was empty.

    def check_gaps(self):
        starts = [line.at for line in self.lines if line.event == 'worker_started']
        by_slot = collections.defaultdict(list)
        for line in self.lines:
            if line.worker:
                by_slot[line.worker].append(line)
        for worker, lines in by_slot.items():
            started = {line.incarnation: line for line in lines if line.event == 'worker_started'}
            ends = {line.incarnation: line for line in lines if line.event == 'worker_exited'}

            def started_before(line):
                start = started.get(line.incarnation)
                return start.at if start else line.at

            for line in lines:
                if line.event != 'worker_exited' or line.reason == 'shutdown':
                    continue
                successor = started.get(line.incarnation + 1)
                if successor is None:
                    # A start that failed has an end and no start.
                    successor = ends.get(line.incarnation + 1)
                if successor is None:
                    self.faults.append(f'{worker} has had no worker since {line.message}')
                    continue
                begin = line.at
                # From its clone on the slot is not empty, however long the machine lets it wait for its exec.
                end = ends.get(successor.incarnation)
                # One that died before it was seen is as old as its end says.
                born = self.births.get(f'{line.group}/{line.slot}.{successor.incarnation}') or (
                    end.at - end.lifetime_usec / 1e6 if end and end.lifetime_usec else successor.at)
                gap = born - begin
                # It begins with a missed watchdog, say, before the end.
                delays = [
                    other.delay_usec / 1e6 for other in lines
                    if other.event == 'worker_backoff' and started_before(line) <= other.at <= successor.at][-1:]
                allowed = sum(delays)
                # A slot whose workers finish at once is paced: ten starts a second.
                if line.reason == 'finished' and line.lifetime_usec < 1_000_000:
                    allowed = max(allowed, 0.1)
                # It may have begun before the end.
                between = max(0, bisect.bisect(starts, successor.at) - bisect.bisect_left(starts, begin))
                # While it runs it starts others, or it is executed anew: check_probes sees to that.
                allowed += 0.05 + TICKS + self.unit * between + overlap(self.running + self.stalls, begin, born)
                if self.frozen(line.group, begin, successor.at):
                    allowed += 2
                self.gaps.append(gap - sum(delays))
                if gap > allowed:
                    self.faults.append(
                        f'{worker} was empty for {gap * 1000:.0f} ms, {allowed * 1000:.0f} are allowed: {line.message}')

    def frozen(self, group, begin, end):
        """What is frozen does not die, and does not begin."""
        return self.during('freeze group', begin, end, group) or self.during('freeze worker', begin, end, group)

    # How long it was away.

    def check_probes(self):
        starts = [line.at for line in self.lines if line.event == 'worker_started']
        for asked, took in self.probes:
            end = asked + took
            # One may have been begun of which nothing is told yet.
            between = 1 + bisect.bisect(starts, end) - bisect.bisect_left(starts, asked)
            # The rest of the time it waited for something that is not a CPU.
            blocked = took - overlap(self.running, asked, end) - overlap(self.stalls, asked, end)
            # The exec of the next image is the supervisor's own.
            upgrade = 1 if self.during('upgrade', asked, end) else 0
            self.longest_blocked[upgrade] = max(self.longest_blocked[upgrade], blocked)
            if blocked > 0.05 + TICKS + self.unit * between + upgrade:
                near = [line.message for line in self.lines if asked - 0.01 <= line.at <= end + 0.01][:6]
                waits = [(f'{waited * 1000:.0f} ms', *function) for at, waited, function in self.waits
                         if at <= end and at + waited >= asked]
                self.faults.append(
                    f'blocked for {blocked * 1000:.0f} of {took * 1000:.0f} ms at {asked:.3f}, in which {between} workers at '
                    f'most were started ({self.unit * 1000:.1f} ms each), in the kernel {waits}: {near}')
        late = sum(took > 0.05 for _, took in self.probes)
        if late > len(self.probes) / 100:
            self.faults.append(f'{late} of {len(self.probes)} answers took more than 50 ms')

    # What is left.

    def check_calm(self, before, report):
        """Once all is calm again: as much is open as at the start, and there is no cgroup and no process too many."""
        if report is None:
            report = self.pool.status()
            for worker in pool.restless(report):
                processes = machine.processes(f'/sys/fs/cgroup{worker["cgroup"]}') if worker.get('cgroup') else []
                said = [line.message for line in self.pool.lines if line.worker == worker['worker']][-8:]
                self.faults.append(f'it did not come to rest: {worker}, its processes {processes}, the last of it {said}')
            if not pool.restless(report):
                self.faults.append(f'it came to rest too late, or never: {len(pool.workers_of(report))} workers, all ready')
            return
        for deed in self.deeds.done:
            if deed.reason and deed.incarnation_key in self.pool.live:
                self.faults.append(f'{deed.kind} of worker({deed.pid}): it has not ended')
        live = {f'{line.group}/{line.slot}.{line.incarnation}' for line in self.pool.live.values()}
        expected = live | {'supervisor', 'steady', 'hard', 'soft', 'prints', 'files'}
        end = time.monotonic() + 10
        while set(machine.cgroups_below(self.pool.ground)) != expected and time.monotonic() < end:
            time.sleep(0.1)  # cgroupfs tells nobody of a removed directory
        found = set(machine.cgroups_below(self.pool.ground))
        if found != expected:
            self.faults.append(f'cgroups: {sorted(found - expected)} too many, {sorted(expected - found)} missing')
        # What its clients have closed it closes in its next turn.
        while (more := self.opened_since(before)) and time.monotonic() < end:
            time.sleep(0.1)
        if more:
            self.faults.append(f'descriptors, before and after: {more}')
        children = machine.children(self.pool.pid)
        pids = {line.pid for line in self.pool.live.values()}
        if children.keys() != pids:
            self.faults.append(f'children {sorted(children)} are not the workers {sorted(pids)}')
        if zombies := [pid for pid, state in children.items() if state == 'Z']:
            self.faults.append(f'zombies: {zombies}')
        told, counted = self.pool.ends_told(), pool.ends_counted(report)
        if counted != told:
            self.faults.append(f'restarts in the status, {dict(counted)}, are not those told, {dict(told)}')

    def opened_since(self, before):
        """Of which kind more descriptors are open, with the numbers before and now."""
        now, _ = machine.descriptors(self.pool.pid)
        return {kind: (before.get(kind, 0), count) for kind, count in now.items() if count > before.get(kind, 0)}
