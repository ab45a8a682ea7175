"""One line on the terminal while jobs run side by side: how many are done, the best so far, and the time left."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from litlab.console import console, say
from litlab.runs import RESULT, read_result

EVERY_S = 3.0


def line(folder: Path, total: int, began: float, now: float) -> str:
    """The line.

    Args:
        folder: of the sweep.
        total: the number of jobs that were given to the launcher.
        began: when, in seconds since 1970.
        now: likewise.
    """
    ended = [path for path in folder.glob(f"*/{RESULT}") if path.stat().st_mtime >= began]
    results = [read_result(path.parent) for path in ended]
    found = [result["objective"] for result in results if result.get("objective")]
    text = f"{min(len(ended), total)} of {total} jobs done"
    if found:
        best_of = max if found[0]["mode"] == "max" else min
        text += f", best {found[0]['name']} {best_of(objective['value'] for objective in found):.4f}"
    if 0 < len(ended) < total:
        text += f", about {(now - began) / len(ended) * (total - len(ended)):.0f} s left"
    return text


@contextlib.contextmanager
def live_line(folder: Path, total: int) -> Iterator[None]:
    """Keeps the line up to date on a terminal. Elsewhere it is printed again when a job has ended."""
    began, ended = time.time(), threading.Event()

    def follow() -> None:
        latest = ""
        while not ended.wait(EVERY_S):
            with contextlib.suppress(OSError, ValueError):  # a file that is just being replaced
                text = line(folder, total, began, time.time())
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
