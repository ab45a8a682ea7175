"""Processes that load batches. A pass over the data ends with an error if one of them dies or hangs."""

import atexit
import contextlib
import functools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader


class BadPicture(ValueError):
    """A picture that was readable before training cannot be read or transformed now. The message is one line."""


class WorkerFailed(RuntimeError):
    """A process that loads batches has died, or no batch has come for too long."""


def ignore_signals(worker: int) -> None:
    """Makes a new worker ignore the signals that the training process handles.

    A signal may be sent to all processes of a run. A worker ends when the training process tells it to, or has ended.
    """
    for name in {"SIGINT", "SIGTERM", "SIGUSR1"} & set(dir(signal)):  # Windows lacks the last one
        signum = getattr(signal, name)
        signal.signal(signum, signal.SIG_IGN)


class WatchedWorkers:
    """The batches of one pass, from the workers of a DataLoader.

    Args:
        loader: has workers.
        patience: seconds without a batch, after which the workers are killed. The `timeout` of a DataLoader does not
            cover the moment in which a batch is handed over: that wait never ends if the worker is stopped.
    """

    def __init__(self, loader: DataLoader, patience: int) -> None:
        self.loader = loader
        self.patience = patience
        # Workers that persist from the last pass. Public: DataLoader has no name for its iterator.
        self.processes = workers_of(loader._iterator)
        self._received = 0  # batches
        self._is_waiting = False  # for a batch
        self._is_over = threading.Event()
        self._has_hung = threading.Event()

    def batches(self, begin: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """The batches of the iterator that `begin` makes.

        Raises:
            BadPicture: with the message of the worker's error.
            WorkerFailed: a worker has died, or hangs.
        """
        _kill_workers_at_end()
        threading.Thread(target=self._kill_if_they_hang, daemon=True).start()
        iterator: Any = None
        try:
            while True:
                try:
                    with self._waiting():
                        if iterator is None:
                            iterator = begin()
                            self.processes = workers_of(iterator)
                        batch = next(iterator)
                except StopIteration:
                    return
                except BadPicture as error:
                    end_workers(self.loader, iterator)
                    # The message is the worker's traceback, which ends with the type and the message of its error.
                    raise BadPicture(str(error).splitlines()[-1].partition(": ")[2]) from None
                except (RuntimeError, OSError, EOFError) as error:
                    if str(error).startswith("Caught "):  # raised by the data set itself
                        raise
                    kill_workers()
                    reason = f"no batch for {self.patience} s" if self._has_hung.is_set() else str(error).split("\n")[0]
                    raise WorkerFailed(reason or type(error).__name__) from error
                self._received += 1
                yield batch
        finally:
            self._is_over.set()

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Raises `WorkerFailed` if a worker dies in this block.

        torch's own handler raises at any time, also in the middle of a save, and is never removed. So a handler of
        litlab replaces it while a batch is awaited, and the handler from before is back after that.
        """
        # Other threads may not set handlers, and Windows has no such signal.
        is_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD")
        before = signal.getsignal(signal.SIGCHLD) if is_main else None

        def raise_if_dead(signum: int, frame: Any) -> None:
            for worker in self.processes:
                if not worker.is_alive() and worker.exitcode:  # 0: the worker has ended as it should
                    raise WorkerFailed(f"worker {worker.pid} ended with {worker.exitcode}")

        self._is_waiting = True
        try:
            if before is not None:
                signal.signal(signal.SIGCHLD, raise_if_dead)
            yield
        finally:
            if before is not None:
                signal.signal(signal.SIGCHLD, before)
            self._is_waiting = False

    def _kill_if_they_hang(self) -> None:
        """Kills the workers after `patience` seconds without a batch, which ends the wait. Runs in a thread.

        It counts its own looks, one a second, and not the time: a program that was stopped (Ctrl-Z) may go on.
        """
        waited, received = 0, self._received
        while not self._is_over.wait(1):
            still_waiting = self._is_waiting and received == self._received
            waited, received = (waited + 1 if still_waiting else 0), self._received
            if waited >= self.patience:
                self._has_hung.set()
                for worker in self.processes:
                    worker.kill()
                return


def kill_workers() -> None:
    """Kills the workers of all loaders. Python would wait for them at its end, forever if one hangs."""
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()


@functools.cache
def _kill_workers_at_end() -> None:
    """Kills workers that still live when this program ends, as they may where a pass over the data was left.

    Python would ask them to end, by a signal that they ignore, and wait for them forever. What is registered later is
    called earlier: this before that.
    """
    atexit.register(kill_workers)


def workers_of(iterator: Any) -> list[Any]:
    """The worker processes of a DataLoader's iterator, none if that is None.

    Private name `_workers`. Public: `multiprocessing.active_children()` has the workers of other loaders too, and
    forgets those that have died.
    """
    return getattr(iterator, "_workers", [])


def end_workers(loader: DataLoader, iterator: Any) -> None:
    """Ends the workers of a pass that has failed. Python would wait forever, at its end, for workers that persist.

    Private names `_iterator` and `_shutdown_workers`. Public: deleting the loader would end them, but the traceback of
    the error still refers to it.
    """
    loader._iterator = None
    iterator._shutdown_workers()
