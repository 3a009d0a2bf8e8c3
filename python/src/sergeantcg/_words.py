"""What the program tells, as the log records that `sergeant.supervisor` would have made of it."""
import datetime
import json
import logging
import typing

from ._lines import Event

LEVELS = {
    'debug': logging.DEBUG,
    'info': logging.INFO,
    'warning': logging.WARNING,
    'error': logging.ERROR,
    'critical': logging.CRITICAL,
}

NOT_RESPAWNED = 'not going to respawn since the stop process has started'


class Words(typing.NamedTuple):
    """One record."""

    level: int
    message: str
    #: What the worker counted, on the records that have it.
    summary: typing.Optional[typing.Dict[str, typing.Any]] = None


def words(event: Event, module: str, class_name: str) -> typing.List[Words]:
    """The records for an event: in upstream's words where it has some, in the program's own else."""
    name = event['event']
    if name == 'worker_exited' and isinstance(event.get('pid'), int):
        return _of_end(event, module, class_name)
    if name == 'supervisor_stopped':
        last = [Words(logging.INFO, 'exiting...')]
        # After a failure upstream has only the other.
        return last if event['level'] == 'critical' else [
            Words(logging.INFO, 'no more workers to supervise'), *last,
        ]
    return [_own(event)]


def _own(event: Event) -> Words:
    return Words(LEVELS.get(event['level'], logging.INFO), event['message'])


def _of_end(event: Event, module: str, class_name: str) -> typing.List[Words]:
    worker = 'worker({})'.format(event['pid'])
    summary = summary_of(event)
    records = []
    if event.get('unkillable_threads'):
        records.append(Words(
            logging.WARNING,
            '{} had unkillable_threads: {}'.format(worker, event['unkillable_threads']),
        ))

    message = event['message']
    is_last = message.endswith(', ' + NOT_RESPAWNED)
    own = Words(
        LEVELS.get(event['level'], logging.INFO),
        message[:-len(', ' + NOT_RESPAWNED)] if is_last else message,
        summary,
    )
    reason, code = event.get('reason'), event.get('exit_code')
    asked_to_stop = [
        Words(logging.INFO, '{} has requested to stop'.format(worker), summary),
        Words(logging.INFO, '{} has stopped'.format(worker)),
    ]
    if reason == 'stop_requested':
        return records + asked_to_stop
    if reason == 'shutdown' and summary is not None and code == 5:
        # A sergeant worker that was told to stop says so by asking for it.
        return records + asked_to_stop
    if reason == 'shutdown' and summary is not None and code == 0:
        records.append(Words(logging.INFO, '{} has finished successfully'.format(worker), summary))
    elif reason in ('failed', 'crashed'):
        records.append(_of_failure(event, worker, summary, module, class_name) or own)
    else:
        records.append(own)
    if is_last:
        records.append(Words(logging.INFO, NOT_RESPAWNED))
    return records


def _of_failure(
    event: Event,
    worker: str,
    summary: typing.Optional[typing.Dict[str, typing.Any]],
    module: str,
    class_name: str,
) -> typing.Optional[Words]:
    code, exception = event.get('exit_code'), event.get('exception')
    if summary is None:
        # Nothing was reported: a code is whatever the worker's code made of it.
        if isinstance(event.get('signal'), int):
            code = -event['signal']
        if not isinstance(code, int) or exception is not None:
            return None
        return Words(
            logging.CRITICAL,
            '{} execution has been interrupted with return code: {}'.format(worker, code),
        )
    if code == 1:
        message = '{} execution has failed with the following exception: {}'.format(worker, exception)
    elif code == 2:
        return Words(logging.CRITICAL, 'could not load worker module: {}'.format(module))
    elif code == 3:
        return Words(logging.CRITICAL, 'could not find worker class: {}.{}'.format(module, class_name))
    elif code == 6:
        message = '{} internal execution has failed'.format(worker)
    elif code == 7:
        message = '{} importing the worker module has raised an exception: {}'.format(worker, exception)
    else:
        return None
    return Words(logging.CRITICAL, message, summary)


def summary_of(event: Event) -> typing.Optional[typing.Dict[str, typing.Any]]:
    """What the worker said of itself, as upstream passes it on; None where it said nothing."""
    text = event.get('summary')
    if not isinstance(text, str):
        return None
    try:
        summary = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(summary, dict):
        return None
    for name in ('start_time', 'end_time'):
        try:
            summary[name] = datetime.datetime.fromisoformat(summary[name])
        except (KeyError, TypeError, ValueError):
            pass
    if event.get('exit_code') in (1, 7):
        summary['exception'] = event.get('exception')
        summary['stacktrace'] = event.get('stacktrace')
    if event.get('unkillable_threads'):
        summary['unkillable_threads'] = event['unkillable_threads']
    summary.setdefault('return_code', event.get('exit_code'))
    return summary
