"""Where the program is."""
import os
import shutil
import typing

VARIABLE = 'SERGEANTCG_BINARY'
NAME = 'sergeantcg'


class BinaryNotFound(FileNotFoundError):
    """The program `sergeantcg` is not there; the message says where it was looked for and what to do."""


def find(given: typing.Union[str, 'os.PathLike[str]', None] = None) -> str:
    """The program's path: what was given, else what the environment names, else what the PATH has.

    What is named and is not there is an error: another one in its place would be a surprise.
    """
    if given is not None:
        return _executable(os.fspath(given), 'the argument binary')
    named = os.environ.get(VARIABLE)
    if named:
        return _executable(named, VARIABLE)
    found = shutil.which(NAME)
    if found is None:
        raise BinaryNotFound(
            'the program {0} is on no directory of PATH ({1}): install it there, or name it in {2} '
            'or with Supervisor(binary=…)'.format(NAME, os.environ.get('PATH', ''), VARIABLE)
        )
    return found


def _executable(path: str, source: str) -> str:
    # With a directory in it, it is a path, as for a shell.
    found = shutil.which(path)
    if found is None:
        raise BinaryNotFound(
            '{0} names {1!r}, which is no program that can be executed: give the path of {2}'.format(
                source, path, NAME)
        )
    return found
