"""Stopping a sweep, and the marks that it leaves in its folder."""

import multiprocessing
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from litlab.config import SweepJob
from litlab.errors import SweepStopped

STOPPED = ".stopped"  # holds the exit status: begin no more jobs
REFUSED = ".refused"  # a line for each job that the last start has refused, because it was trained otherwise
STARTED_BY = "LITLAB_SWEEP"  # in the environment of joblib's processes: the process that started them


def clear_marks(folder: Path) -> None:
    """Removes the marks of an earlier start."""
    for name in (STOPPED, REFUSED):
        (folder / name).unlink(missing_ok=True)


def stop(job: SweepJob, status: int) -> None:
    """Ends the sweep after a job that a signal has stopped, and that has saved.

    Raises:
        SweepStopped: where the jobs run one after the other. Elsewhere that would end the jobs beside this one before
            they have saved: a mark is left for the process that started them.
    """
    if job.launcher == "Basic":
        raise SweepStopped(status)
    if job.launcher == "Joblib" and os.getppid() != int(os.environ[STARTED_BY]):
        os._exit(status)  # nobody is there to take what the job returns, and the mark may be for the next start
    (job.folder / STOPPED).write_text(str(status))


def stopped_with(folder: Path) -> int:
    """The exit status with which a sweep was told to begin no more jobs; 0 if it was not."""
    return int((folder / STOPPED).read_text()) if (folder / STOPPED).exists() else 0


def refused(folder: Path) -> list[str]:
    """What the last start has said of the jobs that it refused."""
    path = folder / REFUSED
    return path.read_text().splitlines() if path.exists() else []


def note_refused(folder: Path, message: str) -> None:
    """Adds a line for a refused job."""
    with (folder / REFUSED).open("a") as file:
        file.write(f"{message}\n")


def pass_signals_on(folder: Path) -> None:
    """Makes SIGINT and SIGTERM reach the processes of joblib's jobs, and lets them save. No more jobs begin.

    A process whose job has not begun does not know what to do with a signal. It may just end, and leaves no mark.
    """

    def handle(signum: int, frame: FrameType | None) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STOPPED).write_text(str(128 + signum))
        if os.isatty(0) and os.getpgrp() == os.tcgetpgrp(0) and signum == signal.SIGINT:
            return  # Ctrl-C, which the terminal has sent to them too
        for process in multiprocessing.active_children():
            if process.pid:
                os.kill(process.pid, signum)

    os.environ[STARTED_BY] = str(os.getpid())
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, handle)
