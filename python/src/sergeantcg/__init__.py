"""Supervises `sergeant` workers, each in a cgroup of its own.

    from sergeantcg import Supervisor

in place of `from sergeant.supervisor import Supervisor`. The program `sergeantcg` does the work.
"""
from ._binary import BinaryNotFound
from .supervisor import SupervisedWorker, Supervisor

__all__ = ['BinaryNotFound', 'SupervisedWorker', 'Supervisor']
__version__ = '0.1.0'
