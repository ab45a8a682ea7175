"""A sweep and its jobs, read from the folders that they left."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from litlab.runs import OVERRIDES, RESULT, is_running, read_result


@dataclass
class Job:
    """One job of a sweep, as its folder tells it.

    `status` is that of `result.json`; without one `running` or `killed`; `score` is the best value of the objective, if
    that is the sweep's.
    """

    folder: Path
    overrides: list[str]  # as they were written
    status: str = "killed"
    objective: str = ""
    score: float | None = None
    seconds: float | None = None
    error: str = ""
    seed: str = ""  # also where it was not given
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        return dict(line.lstrip("+").split("=", 1) for line in self.overrides if "=" in line)


@dataclass
class Sweep:
    """The jobs of a sweep, best first; those without a score come last, in the order of their names.

    Where the objective itself is swept, that of the first job by name is compared.
    """

    folder: Path
    jobs: list[Job]
    objective: str
    mode: str

    @property
    def best_of(self) -> Callable[..., Any]:
        """`max` or `min`, as the objective is meant."""
        return max if self.mode == "max" else min

    @property
    def swept(self) -> list[str]:
        """The settings in which the jobs differ, in the order of the command line."""
        names = dict.fromkeys(name for job in self.jobs for name in job.settings)
        return [name for name in names if len({job.settings.get(name) for job in self.jobs}) > 1]

    @property
    def finished(self) -> list[Job]:
        """Those completed, and with a score: without checkpoints there is none."""
        return [job for job in self.jobs if job.status == "completed" and job.score is not None]

    @property
    def unfinished(self) -> list[Job]:
        return [job for job in self.jobs if job.status not in ("completed", "pruned")]

    @property
    def incomparable(self) -> list[Job]:
        """Those with another objective."""
        return [job for job in self.jobs if job.objective and job.score is None]

    @property
    def pruned(self) -> list[Job]:
        return [job for job in self.jobs if job.status == "pruned"]


def read(folder: Path) -> Sweep:
    """Reads the folders of a sweep's jobs.

    Raises:
        ValueError: if there are none.
    """
    jobs: list[Job] = []
    objective, mode = "", "max"
    for job, result in jobs_in(folder):
        job.status = result.get("status") or ("running" if is_running(job.folder) else job.status)
        job.seconds = result.get("seconds")
        job.seed = str(result.get("config", {}).get("seed", job.settings.get("seed", "")))
        job.error, job.metrics = result.get("error", ""), result.get("metrics", {})
        if found := result.get("objective"):
            if not objective:
                objective, mode = found["name"], found["mode"]
            job.objective = found["name"]
            job.score = found["value"] if (found["name"], found["mode"]) == (objective, mode) else None
        jobs.append(job)
    if not jobs:
        raise ValueError(f"{folder}: no jobs of a sweep here")
    sweep = Sweep(folder, jobs, objective, mode)
    jobs.sort(key=lambda job: job.score or 0, reverse=sweep.best_of is max)  # and by name, as they are
    jobs.sort(key=lambda job: job.score is None)
    return sweep


def jobs_in(folder: Path) -> Iterator[tuple[Job, dict[str, Any]]]:
    """The jobs of a sweep by their names, with the overrides that they were trained with, and their results."""
    recorded = {path.parents[1] for path in folder.glob(f"*/{OVERRIDES}")}
    for job in sorted(recorded | {path.parent for path in folder.glob(f"*/{RESULT}")}):
        result = read_result(job)
        asked = result.get("overrides") or (OmegaConf.load(job / OVERRIDES) if job in recorded else ())
        yield Job(job, [str(line) for line in asked]), result


def names_job(job: Job, key: str) -> bool:
    """Whether a job's folder is named by this setting: it was swept then."""
    return re.search(rf"(^|,)\+*{re.escape(key)}=", job.folder.name) is not None
