"""A sweep and its jobs, as their folders describe them."""

import contextlib
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from litlab.config import numeric, read_overrides, read_recorded
from litlab.errors import ConfigError
from litlab.runs import LATEST, METRICS, OVERRIDES, RESULT, SWEEP, read_result, status_without_result
from litlab.sweeps.in_force import in_force
from litlab.sweeps.overrides import as_value

KILLED = "its process ended without a word; the same command and hydra.sweep.dir go on with it"
UNTIL = ".until"  # in the folder of a sweep with `prune=asha`: after how many epochs each job of the present wave waits
ENDED = ("completed", "pruned")  # the status of jobs that have come to their end, or to the one that the sweep chose


@dataclass
class Job:
    """One job of a sweep.

    Args:
        folder: the run folder.
        overrides: as they were written on the command line.
        status: of `result.json`; without that file `starting`, `running` or `killed`. `paused`: in a stopped
            `prune=asha`, where it waited for the others.
        objective: the name of the job's objective.
        score: the best value of the objective; None if there is none, or if the sweep has another objective.
        seconds: of training.
        error: why it failed.
        metrics: of the best checkpoint.
    """

    folder: Path
    overrides: list[str]
    status: str = "killed"
    objective: str = ""
    score: float | None = None
    seconds: float | None = None
    error: str = ""
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def is_unfinished(self) -> bool:
        """Whether it has neither been completed nor ended early by the sweep."""
        return self.status not in (*ENDED, "paused")

    @cached_property
    def settings(self) -> dict[str, str]:
        """The values of the overrides by their keys, without `name`, which is that of the sweep's folder.

        Once the sweep is read, a setting that only other jobs were given is here too, with the value in force.
        Equal values are equal texts: sweepers write `False` and `1e-3`, or keep what was typed.
        """
        lines = [as_value(line.lstrip("+")) for line in self.overrides if "=" in line]
        return dict(line.split("=", 1) for line in lines if not line.startswith("name="))


@dataclass
class Sweep:
    """The jobs of a sweep, the best first. After them come those that did not end, and last those without a score.

    If the jobs have different objectives, that of the first job by name counts.
    """

    folder: Path
    jobs: list[Job]
    objective: str
    mode: str

    @property
    def best_of(self) -> Callable[..., Any]:
        """`max` if a higher objective is better, else `min`."""
        return max if self.mode == "max" else min

    @property
    def swept(self) -> list[str]:
        """The settings in which the jobs differ, in the order of the command line."""
        names = dict.fromkeys(name for job in self.jobs for name in job.settings)
        if len(self.jobs) == 1:  # stopped before the second one
            return [name for name in names if names_job(self.jobs[0], name)]
        return [name for name in names if len({job.settings.get(name) for job in self.jobs}) > 1]

    @property
    def finished(self) -> list[Job]:
        """The completed jobs with a score. A job without checkpoints has none."""
        return [job for job in self.jobs if job.status == "completed" and job.score is not None]

    @property
    def unfinished(self) -> list[Job]:
        return [job for job in self.jobs if job.is_unfinished]

    @property
    def incomparable(self) -> list[Job]:
        """The jobs with another objective than the sweep."""
        return [job for job in self.jobs if job.objective and job.score is None]

    @property
    def pruned(self) -> list[Job]:
        return [job for job in self.jobs if job.status in ("pruned", "paused")]


def check_sweep(folder: Path) -> None:
    """Raises ValueError for a folder that holds something else than a sweep, such as single runs."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SWEEP).is_file():
        raise ValueError(f"{folder}: no sweep (it has no {SWEEP}); name the folder that a training with -m has made")


def read(folder: Path, ended: bool = False) -> Sweep:
    """Reads the folders of a sweep's jobs.

    Args:
        folder: of the sweep.
        ended: whether the sweep has ended, so that none of its jobs is about to start.

    Raises:
        ValueError: if there are none.
    """
    jobs: list[Job] = []
    objective, mode = "", "max"
    found_there = list(jobs_in(folder))
    _fill_in(found_there)
    for job, result in found_there:
        job.status = result.get("status") or status_without_result(job.folder, may_start=not ended)
        if job.status == "pruned" and until(folder, job.overrides) is not None:
            job.status = "paused"
        job.seconds = result.get("seconds")
        job.error, job.metrics = result.get("error", ""), result.get("metrics", {})
        if job.status == "killed":
            job.error = job.error or KILLED
        if found := result.get("objective"):
            if not objective:
                objective, mode = found["name"], found["mode"]
            job.objective = found["name"]
            job.score = found["value"] if (found["name"], found["mode"]) == (objective, mode) else None
        jobs.append(job)
    if not jobs:
        raise ValueError(f"{folder}: no jobs of a sweep here")
    sweep = Sweep(folder, jobs, objective, mode)
    jobs.sort(key=lambda job: job.score or 0, reverse=sweep.best_of is max)  # equal scores stay in the order of names
    jobs.sort(key=lambda job: (job.score is None, job.is_unfinished))
    return sweep


def _fill_in(jobs: Sequence[tuple[Job, Mapping[str, Any]]]) -> None:
    """Adds to each job the settings that only other jobs were given, so that equal jobs are equal rows."""
    names = dict.fromkeys(name for job, _ in jobs for name in job.settings)
    for job, result in jobs:
        for name in names:
            if name not in job.settings and (value := in_force(job.folder, name, result)) is not None:
                job.settings[name] = value


def jobs_in(folder: Path) -> Iterator[tuple[Job, dict[str, Any]]]:
    """The jobs of a sweep in the order of their names, each with its result.

    The overrides are those that a job was trained with.
    """
    recorded = {path.parents[1] for path in folder.glob(f"*/{OVERRIDES}")}
    for job in sorted(recorded | {path.parent for path in folder.glob(f"*/{RESULT}")}):
        result = read_result(job)
        overrides = result.get("overrides")
        if not overrides and job in recorded:
            with contextlib.suppress(ConfigError):  # damaged, as after a power cut
                overrides = read_overrides(job)
        overrides = overrides or ()
        yield Job(job, [str(line) for line in overrides]), result


def trained_config(job: Job, result: dict[str, Any]) -> dict[str, Any] | None:
    """The config with which a job was trained, as flat plain data; None if it would begin anew."""
    if result.get("status") in (*ENDED, "interrupted"):
        return result.get("config")
    is_known = bool(result) and result.get("status") != "damaged"
    if is_known or not any((job.folder / name).exists() for name in LATEST):
        return None
    with contextlib.suppress(ConfigError):  # a damaged one: the job compares the config of its checkpoint, too
        return numeric(read_recorded(job.folder)[0])  # of a job that was killed, or has lost its result
    return None


def job_key(overrides: Iterable[str]) -> str:
    """What names a job, whatever the order of its overrides."""
    return " ".join(sorted(line for line in overrides if not line.startswith("hydra.")))


def key_of(override: str) -> str:
    """`new` of `+new=1`."""
    return override.lstrip("+~").partition("=")[0]


def until(folder: Path, overrides: Iterable[str]) -> int | None:
    """After how many epochs a job of a sweep waits; None: it trains to its end."""
    path = folder / UNTIL
    epochs: int | None = json.loads(path.read_text()).get(job_key(overrides)) if path.exists() else None
    return epochs


def curve(job: Job, name: str) -> tuple[list[int], list[float]]:
    """The epochs, from 1, and the values of one metric, from the job's `metrics.csv`."""
    path = job.folder / METRICS
    if not path.exists():
        return [], []
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(name)]
    return [int(row["epoch"]) + 1 for row in rows], [float(row[name]) for row in rows]


def names_job(job: Job, key: str) -> bool:
    """Whether this setting is in the name of a job's folder: it was swept when the job began."""
    return re.search(rf"(^|,)\+*{re.escape(key)}=", job.folder.name) is not None
