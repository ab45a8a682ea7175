"""One line on the terminal while jobs run side by side: how many are done, the best so far, and the time left."""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from litlab.console import console, say
from litlab.runs import RESULT, read_result

EVERY_S = 3.0


def line(folder: Path, total: int, at_once: int, began: float, now: float) -> str:
    """The line.

    Args:
        folder: of the sweep.
        total: the number of jobs that were given to the launcher.
        at_once: how many of them run side by side.
        began: when, in seconds since 1970.
        now: likewise.
    """
    ended = {path: at for path in folder.glob(f"*/{RESULT}") if (at := path.stat().st_mtime) >= began}
    results = [read_result(path.parent) for path in ended]
    found = [result["objective"] for result in results if result.get("objective")]
    text = f"{min(len(ended), total)} of {total} jobs done"
    if found:
        best_of = max if found[0]["mode"] == "max" else min
        text += f", best {found[0]['name']} {best_of(objective['value'] for objective in found):.4f}"
    trained = [result["seconds"] for result in results if result.get("seconds")]
    left = seconds_left(sorted(ended.values()), trained, total, at_once, now)
    return text + (f", about {left:.0f} s left" if left >= 0.5 else "")


def seconds_left(ended: Sequence[float], trained: Sequence[float], total: int, at_once: int, now: float) -> float:
    """How long the rest of the jobs takes; 0 if nobody can say.

    The first jobs of the processes count with the seconds of their training: they waited for the start of Python and
    for imports. A later job began when an earlier one ended, and so its length is known.

    Args:
        ended: when the jobs have ended that are done, in seconds since 1970, the earliest first.
        trained: the seconds of their trainings.
        total: the number of jobs.
        at_once: how many of them run side by side.
        now: in seconds since 1970.
    """
    rest = total - len(ended)
    lengths = [end - begin for begin, end in zip(ended, ended[at_once:], strict=False)] or trained
    if rest <= 0 or not lengths:
        return 0.0
    return statistics.mean(lengths) * max(1.0, rest / at_once) - (now - ended[-1])


@contextlib.contextmanager
def live_line(folder: Path, total: int, at_once: int) -> Iterator[None]:
    """Keeps the line up to date on a terminal. Elsewhere it is printed again when a job has ended.

    Args:
        folder: of the sweep.
        total: the number of jobs.
        at_once: how many of them run side by side.
    """
    began, ended = time.time(), threading.Event()

    def follow() -> None:
        latest = ""
        while not ended.wait(EVERY_S):
            with contextlib.suppress(OSError, ValueError):  # a file that is just being replaced
                text = line(folder, total, at_once, began, time.time())
                if status is not None:
                    status.update(text)
                elif text.split(",")[0] != latest and not text.startswith("0 "):
                    latest = text.split(",")[0]
                    say(text)

    with contextlib.ExitStack() as stack:
        status = stack.enter_context(console.status(f"0 of {total} jobs done")) if console.is_terminal else None
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
