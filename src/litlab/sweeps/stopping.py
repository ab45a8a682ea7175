"""Stops a sweep, and leaves marks in its folder that its processes read."""

import contextlib
import multiprocessing
import os
import shlex
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from litlab.config import SweepJob
from litlab.errors import SweepStopped, Terminated
from litlab.sweeps.jobs import UNTIL

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPED = ".stopped"  # begin no more jobs; the file holds the exit status
SAVE = ".save"  # the jobs that run save and end, where the sweep's process cannot send them a signal
REFUSED = ".refused"  # a line for each job that this start has refused, because it was trained with another config
AGAIN = ".again"  # the name of each job that ran once more, because it ended with an error of the GPU
INTERRUPTED = ".interrupted"  # a signal has stopped the sweep
JOBS = ".jobs"  # the number of all jobs, also of those that have not begun
STARTED_BY = "LITLAB_SWEEP"  # in the environment of joblib's processes: the process that started them


def clear_marks(folder: Path) -> None:
    """Removes the marks of an earlier start."""
    for name in (STOPPED, SAVE, REFUSED, AGAIN, INTERRUPTED, JOBS, UNTIL):
        (folder / name).unlink(missing_ok=True)


def stop(job: SweepJob, status: int) -> None:
    """Ends the sweep after a signal has stopped one of its jobs, and the job has saved.

    Where jobs run at the same time, an exception would end the other jobs before they have saved. So it is a mark in
    the folder that tells the process which started them.

    Raises:
        SweepStopped: where the jobs run one after the other.
    """
    if job.launcher == "Basic":
        raise SweepStopped(status)
    if job.launcher == "Joblib" and os.getppid() != int(os.environ[STARTED_BY]):
        os._exit(status)  # the sweep's process has gone, and the mark could stop the next start
    if not stopped_with(job.folder):  # else the sweep's process has left the mark, for a signal of its own
        (job.folder / STOPPED).write_text(str(status))


def stopped_with(folder: Path) -> int:
    """The exit status of a sweep that was told to begin no more jobs; 0 if it was not told so."""
    return int((folder / STOPPED).read_text()) if (folder / STOPPED).exists() else 0


def is_told_to_save(folder: Path) -> bool:
    """Whether the jobs of a sweep that run shall save and end."""
    return (folder / SAVE).exists()


def refused(folder: Path) -> list[str]:
    """A line for each job that this start has refused."""
    path = folder / REFUSED
    return path.read_text().splitlines() if path.exists() else []


def note_refused(folder: Path, message: str) -> None:
    """Adds a line for a refused job."""
    with (folder / REFUSED).open("a") as file:
        file.write(f"{message}\n")


def note_interrupted(folder: Path) -> None:
    """Notes that a signal has stopped a sweep."""
    (folder / INTERRUPTED).touch()


def is_interrupted(folder: Path) -> bool:
    """Whether a signal has stopped a sweep, and no later start has gone on with it."""
    return (folder / INTERRUPTED).exists()


def note_number_of_jobs(folder: Path, number: int) -> None:
    """Notes how many jobs a sweep has, before the first of them begins."""
    (folder / JOBS).write_text(str(number))


def forget_number_of_jobs(folder: Path) -> None:
    """Forgets it when all jobs have begun."""
    (folder / JOBS).unlink(missing_ok=True)


def number_of_jobs(folder: Path) -> int | None:
    """The number of all jobs of a sweep that runs or was stopped; None if it is not known, or if all have begun."""
    return int((folder / JOBS).read_text()) if (folder / JOBS).exists() else None


def how_to_go_on(folder: Path) -> str:
    """A line for a sweep that a signal has stopped."""
    return f"go on with    the same command and {shlex.quote(f'hydra.sweep.dir={folder}')}"


def ran_again(folder: Path) -> list[str]:
    """The names of the jobs that this start has run once more."""
    path = folder / AGAIN
    return path.read_text().splitlines() if path.exists() else []


def note_again(folder: Path, name: str) -> None:
    """Adds the name of a job that runs once more."""
    with (folder / AGAIN).open("a") as file:
        file.write(f"{name}\n")


def pass_signals_on(folder: Path) -> None:
    """Makes SIGINT and SIGTERM reach the processes of joblib's jobs, so that they save. No more jobs begin.

    A process whose job has not begun may just end, without a mark of its own. So the mark is written here.
    """

    def handle(signum: int, frame: FrameType | None) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STOPPED).write_text(str(128 + signum))
        if signum == signal.SIGINT and _in_foreground():
            return  # the terminal has sent Ctrl-C to them too
        for process in multiprocessing.active_children():
            if process.pid:
                os.kill(process.pid, signum)

    os.environ[STARTED_BY] = str(os.getpid())
    for signum in SIGNALS:
        signal.signal(signum, handle)


def note_and_raise(folder: Path) -> None:
    """Makes SIGINT and SIGTERM leave a mark between the jobs, beside the exception that they raise.

    Python calls the handler wherever it is. An exception that is raised in a finalizer is printed and lost: without the
    mark, the next job would begin.
    """

    def handle(signum: int, frame: FrameType | None) -> Any:
        if folder.is_dir():
            (folder / STOPPED).write_text(str(128 + signum))
        raise Terminated if signum == signal.SIGTERM else KeyboardInterrupt

    for signum in SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:  # as a script's command in the background ignores Ctrl-C
            signal.signal(signum, handle)


def note_signals(folder: Path, wait_s: float) -> None:
    """Makes SIGINT and SIGTERM leave marks, by which the jobs of Ray and submitit save, and no more begin.

    The sweep's process goes on waiting for its jobs. It waits no longer after a second signal, or after some seconds.

    Args:
        folder: of the sweep.
        wait_s: how many seconds.
    """

    def handle(signum: int, frame: FrameType | None) -> Any:
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STOPPED).write_text(str(128 + signum))
        (folder / SAVE).touch()
        os.write(2, b"stopping: waiting for the jobs to save; a second signal ends the wait\n")
        last = threading.Timer(wait_s, os.kill, (os.getpid(), signal.SIGINT))
        last.daemon = True
        last.start()

    for signum in SIGNALS:
        signal.signal(signum, handle)


@contextlib.contextmanager
def blocked_in_children(*signums: signal.Signals) -> Iterator[None]:
    """Blocks signals in the processes that are started in the block.

    Here the main thread blocks them, which its children inherit. Another thread takes them, and Python calls the
    handlers as ever.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    ended = threading.Event()
    threading.Thread(target=ended.wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, signums)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signums)
        ended.set()


def _in_foreground() -> bool:
    """Whether this process reads from a terminal that sends Ctrl-C to it and to those that it has started."""
    return os.isatty(0) and (not hasattr(os, "getpgrp") or os.getpgrp() == os.tcgetpgrp(0))  # Windows has no groups
