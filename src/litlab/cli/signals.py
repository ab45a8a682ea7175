"""Handles SIGINT and SIGTERM while no training is there to handle them."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from litlab.config import SweepJob
from litlab.errors import Terminated
from litlab.sweeps import stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Makes Ctrl-C and SIGTERM wait for the end of the block. Their exceptions can get lost during an import.

    A signal that was blocked before stays so: a job of submitit must not get the Ctrl-C of its sweep beside its mark.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Makes SIGTERM raise `Terminated` in the block, unless it has a handler. All handlers are put back at its end."""
    handlers = {signum: signal.getsignal(signum) for signum in SIGNALS}
    if handlers[signal.SIGTERM] == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def signals_reach(job: SweepJob | None) -> Iterator[None]:
    """Makes SIGINT and SIGTERM raise in the block, if it is a job in a process of joblib. They stop the sweep after it.

    Such a process begins with both of them blocked, see `litlab.sweeps.joblib`. Between two jobs an exception would
    reach joblib, which would kill the other jobs before they have saved. So nothing is raised there.
    """
    if job is None or job.launcher != "Joblib":
        yield
        return
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
    try:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # raises for a signal that has waited
        yield
    finally:
        for signum in SIGNALS:
            signal.signal(signum, lambda signum, frame: stop(job, 128 + signum))


def end_at_next_signal() -> None:
    """Makes the next signal end the process at once."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_DFL)


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated
