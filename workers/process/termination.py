"""Which signals end a worker: SIGTERM, once its launcher has closed the pipe to it, and no others.

Batch systems, service managers and `timeout` send their signal to every process of a run. What it means for the
run is the launcher's to decide: the files in progress may have to be finished first (`--grace`).
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
"""Programs that a job starts ignore these too, unless they handle them."""
_IGNORED_BY_WORKER = (signal.SIGTERM, signal.SIGALRM)
"""Programs rely on these to end each other, so what a job starts does not ignore them."""


class LauncherSignals:
    """Keeps from this process the signals that the launcher acts on, from its making on. For the main thread.

    A job may set handlers of its own afterwards.
    """

    def __init__(self, pipe: int) -> None:
        """`pipe` is the descriptor of the pipe from the launcher, in which nothing is left to read."""
        self.terminations = 0
        """How many SIGTERM were ignored. Each may have ended processes that the job has started."""
        self._pipe = pipe
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        for number in _IGNORED_BY_WORKER:
            signal.signal(number, self._handle)
            # The job's system calls continue, as with a signal that is ignored.
            signal.siginterrupt(number, False)
        # Blocked meanwhile: Python drops what reaches the child before its handlers are restored.
        os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=self._restore_in_child)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGTERM:
            return
        if select.select([self._pipe], [], [], 0)[0]:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.terminations += 1

    def _restore_in_child(self) -> None:
        for number in _IGNORED_BY_WORKER:
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)
        _unblock()


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED_BY_WORKER)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _IGNORED_BY_WORKER)
