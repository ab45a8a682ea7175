"""One line on the terminal while jobs run side by side: how many are done, the best so far, and the time left."""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from litlab.console import console, say
from litlab.runs import RESULT
from litlab.sweeps.jobs import ENDED, Job, job_key, jobs_in
from litlab.sweeps.pruning import is_final

EVERY_S = 3.0


def line(
    folder: Path, jobs: Sequence[Sequence[str]], at_once: int, began: float, now: float, before: int = 0, total: int = 0
) -> str:
    """The line. It counts jobs that an earlier start has finished, and none that a signal has interrupted.

    Args:
        folder: of the sweep.
        jobs: the overrides of the jobs that were given to the launcher.
        at_once: how many of them run side by side.
        began: when, in seconds since 1970.
        now: likewise.
        before: how many jobs of the sweep the launcher was given before, and has done.
        total: of the sweep; 0: there are no others.
    """
    asked = {job_key(overrides) for overrides in jobs}
    known = [(job, result, _changed(job)) for job, result in jobs_in(folder)]
    done = [
        (result, at)
        for job, result, at in known
        if job_key(job.overrides) in asked and _is_done(job, result, at >= began)
    ]
    total = total or before + len(asked)
    text = f"{before + len(done)} of {total} jobs done"
    found = [result["objective"] for _, result, _ in known if result.get("objective") and result["status"] in ENDED]
    if found:
        best_of = max if found[0]["mode"] == "max" else min
        alike = [objective["value"] for objective in found if objective["name"] == found[0]["name"]]
        text += f", best {found[0]['name']} {best_of(alike):.4f}"
    now_done = [(result, at) for result, at in done if at >= began]
    trained = [result["seconds"] for result, _ in now_done if result.get("seconds")]
    left = seconds_left(sorted(at for _, at in now_done), trained, total - before - len(done), at_once, now)
    return text + (f", about {left:.0f} s left" if left >= 0.5 else "")


def _changed(job: Job) -> float:
    """When the result of a job was written, in seconds since 1970; 0 without one."""
    path = job.folder / RESULT
    return path.stat().st_mtime if path.exists() else 0.0


def _is_done(job: Job, result: Mapping[str, Any], is_new: bool) -> bool:
    """Whether a job is over. A job that failed runs again in the next start.

    Args:
        is_new: whether the result is of this start.
    """
    status = result.get("status")
    if status == "pruned":
        return is_final(job.folder, job.overrides, result["epochs"])
    return status == "completed" or (status == "failed" and is_new)


def seconds_left(ended: Sequence[float], trained: Sequence[float], rest: int, at_once: int, now: float) -> float:
    """How long the rest of the jobs takes; 0 if nobody can say.

    The first jobs of the processes count with the seconds of their training: they waited for the start of Python and
    for imports. A later job began when an earlier one ended, and so its length is known.

    Args:
        ended: when the jobs have ended that this start has done, in seconds since 1970, the earliest first.
        trained: the seconds of their trainings.
        rest: the number of jobs that are not done.
        at_once: how many of them run side by side.
        now: in seconds since 1970.
    """
    lengths = [end - begin for begin, end in zip(ended, ended[at_once:], strict=False)] or trained
    if rest <= 0 or not lengths:
        return 0.0
    return statistics.mean(lengths) * max(1.0, rest / at_once) - (now - ended[-1])


@contextlib.contextmanager
def live_line(
    folder: Path, jobs: Sequence[Sequence[str]], at_once: int, before: int = 0, total: int = 0
) -> Iterator[None]:
    """Keeps the line up to date on a terminal. Elsewhere it is printed again when a job has ended.

    Args:
        folder: of the sweep.
        jobs: the overrides of the jobs.
        at_once: how many of them run side by side.
        before: see `line`.
        total: see `line`.
    """
    began, ended = time.time(), threading.Event()

    def follow() -> None:
        latest = ""
        while not ended.wait(EVERY_S):
            with contextlib.suppress(OSError, ValueError):  # a file that is just being replaced
                text = line(folder, jobs, at_once, began, time.time(), before, total)
                if status is not None:
                    status.update(text)
                elif text.split(",")[0] != latest and not text.startswith("0 "):
                    latest = text.split(",")[0]
                    say(text)

    with contextlib.ExitStack() as stack:
        status = (
            stack.enter_context(console.status(line(folder, jobs, at_once, began, began, before, total)))
            if console.is_terminal
            else None
        )
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
