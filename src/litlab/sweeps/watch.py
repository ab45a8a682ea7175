"""The table of a sweep while it runs."""

import time
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from litlab import console
from litlab.sweeps.jobs import Sweep, curve, read
from litlab.sweeps.labels import Labels
from litlab.sweeps.table import ranking


def watch(folder: Path, every: float = 2.0) -> None:
    """Shows the table of a sweep, and draws it anew every so many seconds. Ctrl-C ends it, and not the sweep.

    Raises:
        ValueError: if there are no jobs.
    """
    sweep = read(folder)
    with Live(picture(sweep), console=console.console, auto_refresh=False, transient=False) as live:
        while True:
            live.update(picture(sweep), refresh=True)
            time.sleep(every)
            sweep = read(folder)


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
    """How many jobs are done and running, and the best so far."""
    ended = sum(job.status in ("completed", "pruned") for job in sweep.jobs)
    running = sum(job.status == "running" for job in sweep.jobs)
    best = f", best {sweep.objective} {sweep.finished[0].score:.4f}" if sweep.finished else ""
    return f"{ended} of {len(sweep.jobs)} jobs done, {running} running{best}"
