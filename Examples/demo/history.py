"""What sergeantcg said, a JSON line an occurrence, as values."""
import dataclasses
import json
import typing

import plan


@dataclasses.dataclass(frozen=True)
class Death:
    """The end of one incarnation of a worker."""
    identity: str
    reason: str
    oom_kills: int
    memory_peak: typing.Optional[int]
    signal: typing.Optional[int]
    message: str

    @property
    def is_oom_kill(self):
        # A flood passes the recycling limit first, so its reason may be that: the counter decides.
        return self.oom_kills > 0 or self.reason == 'oom_killed'

    @property
    def is_recycle(self):
        return self.reason == 'memory_limit' and not self.is_oom_kill

    @property
    def is_expected(self):
        return self.is_oom_kill or self.is_recycle or self.reason == 'shutdown'


class History:
    def __init__(self):
        self.deaths = {}
        self.alive = set()
        self.other_lines = []

    def take(self, line):
        """Takes one line; the death it tells of, if it tells of one."""
        try:
            record = json.loads(line)
            event = record['event']
        except (ValueError, TypeError, KeyError):
            self.other_lines.append(line.rstrip('\n'))
            return None
        if event == 'worker_started':
            self.alive.add(self._identity(record))
        elif event == 'worker_exited':
            death = Death(
                identity=self._identity(record), reason=record['reason'],
                oom_kills=record.get('oom_kills', 0), memory_peak=record.get('memory_peak'),
                signal=record.get('signal'), message=record.get('message', ''),
            )
            self.alive.discard(death.identity)
            self.deaths[death.identity] = death
            return death
        elif record.get('level') in ('error', 'critical') and event != 'worker_oom':
            self.other_lines.append(record.get('message', line.rstrip('\n')))
        return None

    @property
    def recycles(self):
        return [death for death in self.deaths.values() if death.is_recycle]

    @property
    def oom_kills(self):
        return [death for death in self.deaths.values() if death.is_oom_kill]

    @staticmethod
    def _identity(record):
        return plan.identity(record['worker'], record['incarnation'])
