"""The ranked table of a sweep, on the terminal and as `sweep.csv`."""

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path

from litlab import console
from litlab.files import shown
from litlab.runs import best_or_last, config_dirs
from litlab.sweeps.jobs import Job, Sweep, read
from litlab.sweeps.labels import Labels
from litlab.sweeps.narrow import Column, NarrowTable
from litlab.sweeps.overrides import as_typed
from litlab.sweeps.page import write_page
from litlab.sweeps.seeds import are_distinguishable, groups, half_interval, repeated, settings_compared
from litlab.sweeps.stopping import ran_again

TABLE = "sweep.csv"


def print_report(folder: Path, total: int | None = None, refused: Sequence[str] = (), ended: bool = False) -> Sweep:
    """Prints the ranked table, and writes `sweep.csv`, `sweep.html` and `sweep.png` into the sweep's folder.

    Args:
        folder: of the sweep.
        total: the number of its jobs, with those that have not begun; None if it is not known.
        refused: a line for each job that the command which now ends has refused. They changed nothing in the sweep, so
            a later report does not have them.
        ended: whether the sweep has ended, so that none of its jobs is about to start.
    """
    sweep = read(folder, ended)
    write_csv(sweep)
    write_page(sweep)
    labels = Labels(sweep)
    console.say(ranking(sweep, labels))
    for line in labels.lines:
        console.say(f"  {line}")
    if repeated(sweep) and sweep.finished:
        console.say(over_seeds(sweep, labels))
        _say_if_not_distinguishable(sweep, labels)
    if sweep.finished:
        from litlab.sweeps.plot import draw  # imports matplotlib, for which a training should not wait

        draw(sweep, folder / "sweep.png")
        best = sweep.finished[0]
        checkpoint = best_or_last(best.folder)
        without = "" if checkpoint else ", which has no checkpoint any more"
        _say("best job", f"{shown(checkpoint or best.folder)}{without}")
        _say("repeat it", command_of(best))
        _say("table, plot", f"{shown(folder)}/sweep.csv, sweep.png, sweep.html")
    else:
        _say("table, page", f"{shown(folder)}/sweep.csv, sweep.html")
    _print_jobs(sweep, refused, total)
    return sweep


def command_of(job: Job) -> str:
    """The command that trains a job again, alone."""
    options = [word for folder in config_dirs(job.folder) for word in ("--config-dir", str(folder))]
    overrides = [as_typed(o) for o in job.overrides if not o.startswith("name=")]  # that name is the sweep's
    return console.command("train.py", *overrides, *options)


def ranking(sweep: Sweep, labels: Labels) -> NarrowTable:
    """A row for each job, the best first, with the settings that differ."""
    jobs, objective = sweep.jobs, sweep.objective or "objective"
    return NarrowTable(
        [
            Column("rank", [str(rank) for rank, _ in enumerate(jobs, 1)]),
            *(
                Column(n, [labels.value(n, job.settings.get(n, "")) for job in jobs], labels.short[n], folds=True)
                for n in sweep.swept
            ),
            Column(
                f"{objective} ({sweep.mode})",
                ["" if job.score is None else f"{job.score:.4f}" for job in jobs],
                f"{objective}\n({sweep.mode})",
            ),
            Column("seconds", ["" if job.seconds is None else f"{job.seconds:.1f}" for job in jobs], may_go=True),
            Column(
                "status",
                [job.status for job in jobs],
                may_go={job.status for job in jobs} == {"completed"},
                is_text=True,
            ),
        ]
    )


def over_seeds(sweep: Sweep, labels: Labels) -> NarrowTable:
    """Mean, standard deviation and 95 % interval of the objective over the seeds, or the folds."""
    names, found = settings_compared(sweep), groups(sweep)
    scores = list(found.values())
    halves = [half_interval(group) for group in scores]
    return NarrowTable(
        [
            *(
                Column(name, [labels.value(name, value) for value in values], labels.short[name], folds=True)
                for name, values in zip(names, zip(*found, strict=True), strict=True)
            ),
            Column(
                f"mean {sweep.objective}",
                [f"{statistics.mean(group):.4f}" for group in scores],
                f"mean\n{sweep.objective}",
            ),
            Column(
                "std", [f"{statistics.stdev(group):.4f}" if len(group) > 1 else "" for group in scores], may_go=True
            ),
            Column("95 %", ["" if half is None else f"±{half:.4f}" for half in halves]),
            Column(repeated(sweep), [str(len(group)) for group in scores]),
        ]
    )


def _say_if_not_distinguishable(sweep: Sweep, labels: Labels) -> None:
    """Says so if the best mean may be the best by chance."""
    (best, scores), *others = groups(sweep).items()
    if others and are_distinguishable(scores, others[0][1]) is False:
        names = settings_compared(sweep)
        one, other = (
            " ".join(f"{name}={labels.value(name, value)}" for name, value in zip(names, values, strict=True))
            for values in (best, others[0][0])
        )
        _say("not certain", f"the best, {one}, is not distinguishable from the second, {other} (95 %)")


def write_csv(sweep: Sweep) -> None:
    """Writes everything that is known about each job to `sweep.csv`."""
    metrics = sorted({name for job in sweep.jobs for name in job.metrics})
    header = ["rank", *sweep.swept, "objective", "seconds", "status", *metrics, "folder", "error"]
    with (sweep.folder / TABLE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for rank, job in enumerate(sweep.jobs, 1):
            settings = [job.settings.get(name, "") for name in sweep.swept]
            values = [job.metrics.get(name, "") for name in metrics]
            score = "" if job.score is None else job.score
            writer.writerow([rank, *settings, score, job.seconds, job.status, *values, job.folder.name, job.error])


def _print_jobs(sweep: Sweep, refused: Sequence[str], total: int | None) -> None:
    """Prints how many jobs were completed, and a line for each that was not."""
    total = max(total or 0, len(sweep.jobs))
    others = {
        "pruned": sum(job.status == "pruned" for job in sweep.jobs),
        "paused": sum(job.status == "paused" for job in sweep.jobs),
        "refused": len(refused),
        "not begun": max(0, total - len(sweep.jobs) - len(refused)),
    }
    counted = "".join(f", {count} {what}" for what, count in others.items() if count)
    completed = sum(job.status == "completed" for job in sweep.jobs)
    _say("sweep", f"{completed} of {total} jobs completed{counted}")
    for job in sweep.unfinished:
        _say(job.status, f"{job.folder.name}  {job.error}")
    for job in sweep.incomparable:
        _say("not ranked", f"{job.folder.name}  its objective is {job.objective}, and not {sweep.objective}")
    for name in ran_again(sweep.folder):
        _say("run again", f"{name}  alone, after an error of the GPU, which ends all processes that share it")
    for line in refused:
        _say("refused", line)


def _say(heading: str, text: str) -> None:
    console.say(f"{heading:<14}{text}")
