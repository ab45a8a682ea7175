"""The table of a sweep while it runs."""

import time
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from litlab import console
from litlab.runs import RESULT
from litlab.sweeps.jobs import Sweep, curve, read
from litlab.sweeps.labels import Labels
from litlab.sweeps.stopping import number_of_jobs
from litlab.sweeps.table import TABLE, ranking

ENDED_S = 10.0  # how long a sweep must have ended: a repeated one needs some seconds until its first job runs


def watch(folder: Path, every: float = 2.0) -> None:
    """Shows the table of a sweep, and draws it anew every so many seconds, until the sweep has written its own.

    Ctrl-C ends it, and not the sweep. Where the output is no terminal, there is a line whenever something has changed.

    Raises:
        ValueError: if there are no jobs.
    """
    sweep, quiet, said = read(folder), 0.0, ""
    with Live(picture(sweep), console=console.console, auto_refresh=False, transient=False) as live:
        while True:
            live.update(picture(sweep), refresh=True)
            if not console.console.is_terminal and said != (said := summary(sweep)):
                print(said, flush=True)
            quiet = quiet + every if has_ended(sweep) else 0.0
            if quiet > ENDED_S:
                return
            time.sleep(every)
            sweep = read(folder)


def has_ended(sweep: Sweep) -> bool:
    """Whether the table of the sweep was written after all its jobs. A repeated sweep begins with the older table."""
    table = sweep.folder / TABLE
    results = [job.folder / RESULT for job in sweep.jobs]
    if any(job.status in ("starting", "running") for job in sweep.jobs) or not table.exists():
        return False
    return all(result.stat().st_mtime <= table.stat().st_mtime for result in results if result.exists())


def picture(sweep: Sweep) -> Group:
    """The table, the running jobs with their latest value, and a line that sums them up."""
    lines = []
    for job in sweep.jobs:
        if job.status == "running":
            epochs, values = curve(job, sweep.objective or "val/acc")
            latest = f"epoch {epochs[-1]}: {values[-1]:.4f}" if values else "begins"
            lines.append(Text(f"  running  {job.folder.name}  {latest}"))
    labels = Labels(sweep)
    numbered = [Text(f"  {line}") for line in labels.lines]
    return Group(ranking(sweep, labels), *numbered, *lines, Text(summary(sweep)))


def summary(sweep: Sweep) -> str:
    """How many of all jobs are done, failed and running, and the best so far. Some may not have a folder yet."""
    total = max(number_of_jobs(sweep.folder) or 0, len(sweep.jobs))
    ended = sum(not job.is_unfinished for job in sweep.jobs)
    running = sum(job.status == "running" for job in sweep.jobs)
    failed = sum(job.status == "failed" for job in sweep.jobs)
    some_failed = f", {failed} failed" if failed else ""
    best = f", best {sweep.objective} {sweep.finished[0].score:.4f}" if sweep.finished else ""
    return f"{ended} of {total} jobs done{some_failed}, {running} running{best}"
