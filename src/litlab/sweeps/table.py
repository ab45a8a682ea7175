"""The ranked table of a sweep, on the terminal and as `sweep.csv`."""

import csv
import shlex
import statistics
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from litlab import console
from litlab.files import shown
from litlab.runs import BEST, config_dirs
from litlab.sweeps.jobs import Job, Sweep, read
from litlab.sweeps.stopping import refused


def print_report(folder: Path) -> Sweep:
    """Prints the ranked table, and writes `sweep.csv` and `sweep.png` into the sweep's folder."""
    sweep = read(folder)
    write_csv(sweep)
    console.say(ranking(sweep))
    if "seed" in sweep.swept and sweep.finished:
        console.say(over_seeds(sweep))
    if sweep.finished:
        from litlab.sweeps.plot import draw  # imports matplotlib, for which a training should not wait

        draw(sweep, folder / "sweep.png")
        best = sweep.finished[0]
        _say("best job", f"{shown(best.folder)}/{BEST}")
        _say("repeat it", shlex.join(command_of(best)))
        _say("table, plot", f"{folder}/sweep.csv, sweep.png")
    else:
        _say("table", f"{folder}/sweep.csv")
    _print_jobs(sweep, refused(folder))
    return sweep


def command_of(job: Job) -> list[str]:
    """The words of a command that trains a job again, alone."""
    options = [word for folder in config_dirs(job.folder) for word in ("--config-dir", str(folder))]
    overrides = [override for override in job.overrides if not override.startswith("name=")]  # that of the sweep
    return [*console.typed("train").split(), *overrides, *options]


def ranking(sweep: Sweep) -> Table:
    """A row for each job, the best first, with the settings that differ."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("rank", *sweep.swept):
        table.add_column(name, justify="right")
    table.add_column(f"{sweep.objective or 'objective'} ({sweep.mode})", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("status")
    for rank, job in enumerate(sweep.jobs, 1):
        score = "" if job.score is None else f"{job.score:.4f}"
        seconds = "" if job.seconds is None else f"{job.seconds:.1f}"
        table.add_row(str(rank), *(job.settings.get(n, "") for n in sweep.swept), score, seconds, job.status)
    return table


def groups(sweep: Sweep) -> dict[tuple[str, ...], list[float]]:
    """The scores of the finished jobs, one group for those that differ only in `seed`; the best mean first.

    Returns:
        By the values of the other settings: a score for each seed.
    """
    names = [name for name in sweep.swept if name != "seed"]
    found: dict[tuple[str, ...], dict[str, float]] = {}  # by seed: two jobs with the same seed count once
    for job in sweep.finished:
        assert job.score is not None
        values = tuple(job.settings.get(name, "") for name in names)
        found.setdefault(values, {}).setdefault(job.seed, job.score)
    scores = {values: list(by_seed.values()) for values, by_seed in found.items()}
    return dict(sorted(scores.items(), key=lambda item: statistics.mean(item[1]), reverse=sweep.best_of is max))


def over_seeds(sweep: Sweep) -> Table:
    """Mean and standard deviation of the objective over the seeds."""
    table = Table(box=SIMPLE_HEAD)
    for name in (name for name in sweep.swept if name != "seed"):
        table.add_column(name, justify="right")
    for name in (f"mean {sweep.objective}", "std", "seeds"):
        table.add_column(name, justify="right")
    for values, scores in groups(sweep).items():
        spread = f"{statistics.stdev(scores):.4f}" if len(scores) > 1 else ""
        table.add_row(*values, f"{statistics.mean(scores):.4f}", spread, str(len(scores)))
    return table


def write_csv(sweep: Sweep) -> None:
    """Writes everything that is known about each job to `sweep.csv`."""
    metrics = sorted({name for job in sweep.jobs for name in job.metrics})
    header = ["rank", *sweep.swept, "objective", "seconds", "status", *metrics, "folder", "error"]
    with (sweep.folder / "sweep.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for rank, job in enumerate(sweep.jobs, 1):
            settings = [job.settings.get(name, "") for name in sweep.swept]
            values = [job.metrics.get(name, "") for name in metrics]
            score = "" if job.score is None else job.score
            writer.writerow([rank, *settings, score, job.seconds, job.status, *values, job.folder.name, job.error])


def _print_jobs(sweep: Sweep, refused: list[str]) -> None:
    """Prints how many jobs were completed, and a line for each that was not."""
    others = {"pruned": len(sweep.pruned), "refused": len(refused)}
    counted = "".join(f", {count} {what}" for what, count in others.items() if count)
    completed = sum(job.status == "completed" for job in sweep.jobs)
    _say("sweep", f"{completed} of {len(sweep.jobs)} jobs completed{counted}")
    for job in sweep.unfinished:
        _say(job.status, f"{job.folder.name}  {job.error}")
    for job in sweep.incomparable:
        _say("not ranked", f"{job.folder.name}  its objective is {job.objective}, and not {sweep.objective}")
    for line in refused:
        _say("refused", line)


def _say(heading: str, text: str) -> None:
    console.say(f"{heading:<14}{text}")
