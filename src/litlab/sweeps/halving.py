"""Asynchronous successive halving over the jobs of a grid: which job trains how long, and what was decided so far.

Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2. Each job trains for a few epochs and
waits. The best of every few jobs train on, to the next rung. Jobs are given to the launcher in waves, and the waves are
recorded. So a sweep that was killed goes on as if it had not been.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.errors import HydraException

from litlab.files import atomic
from litlab.sweeps.jobs import UNTIL, job_key, jobs_in

FILE = "halving.json"  # in the folder of the sweep: what was decided

Step = tuple[str, int]  # a job, and the rung to which it trains


def rungs(first: int, factor: int, epochs: int) -> list[int | None]:
    """The epochs of each rung: `first`, `factor` times that, and so on. None is the last, where training ends."""
    found: list[int | None] = []
    reached = first
    while reached < epochs:
        found.append(reached)
        reached *= factor
    return [*found, None]


@dataclass
class Halving:
    """The decisions of a sweep.

    Args:
        rungs: the epochs of each rung; None: to the end.
        factor: one of so many jobs of a rung trains on.
        waves: what was given to the launcher, in order.
        scores: of each job, by rung. None for a job that failed, which counts as the worst.
    """

    rungs: list[int | None]
    factor: int
    waves: list[list[Step]] = field(default_factory=list)
    scores: dict[Step, float | None] = field(default_factory=dict)

    def next_wave(self, jobs: Sequence[str], most: int | None, best_of: Callable[..., float]) -> list[Step]:
        """The steps to take next, and records them; none if the sweep is complete.

        Steps that an earlier start has begun and not ended come first.

        Args:
            jobs: all jobs of the sweep, in order.
            most: how many steps at once; None: as many as there are.
            best_of: `max` or `min`.
        """
        begun = [step for wave in self.waves for step in wave if step[0] in jobs]
        if unfinished := [step for step in begun if step not in self.scores]:
            return unfinished[:most]
        wave: list[Step] = []
        while most is None or len(wave) < most:
            step = self._next(jobs, {*begun, *wave}, best_of)
            if step is None:
                break
            wave.append(step)
        wave = wave or self._last_chance(jobs, set(begun), best_of)
        if wave:
            self.waves.append(wave)
        return wave

    def _next(self, jobs: Sequence[str], begun: set[Step], best_of: Callable[..., float]) -> Step | None:
        """The job that may train on and has come furthest; else the next new job."""
        for rung in reversed(range(len(self.rungs) - 1)):
            ranked = self._ranked(jobs, rung, best_of)
            reached = sum((job, rung) in self.scores for job in jobs)
            for job in ranked[: reached // self.factor]:
                if (job, rung + 1) not in begun:
                    return job, rung + 1
        return next(((job, 0) for job in jobs if (job, 0) not in begun), None)

    def _last_chance(self, jobs: Sequence[str], begun: set[Step], best_of: Callable[..., float]) -> list[Step]:
        """The best job of the highest rung, if no job has come to the end: few jobs may leave none to train on."""
        last = len(self.rungs) - 1
        if any(rung == last for _, rung in begun):
            return []
        for rung in reversed(range(last)):
            if ranked := self._ranked(jobs, rung, best_of):
                return [(ranked[0], rung + 1)]
        return []

    def _ranked(self, jobs: Sequence[str], rung: int, best_of: Callable[..., float]) -> list[str]:
        """The jobs with a score at this rung, the best first. Equal ones stay in their order."""
        scores = {job: score for job in jobs if (score := self.scores.get((job, rung))) is not None}
        return sorted(scores, key=scores.__getitem__, reverse=best_of is max)

    def read_scores(self, folder: Path, wave: Sequence[Step]) -> None:
        """Notes how the jobs of a wave ended, from their folders."""
        results = {job_key(job.overrides): result for job, result in jobs_in(folder)}
        for job, rung in wave:
            result = results.get(job, {})
            found = result.get("objective") if result.get("status") in ("completed", "pruned") else None
            self.scores[job, rung] = found["value"] if found else None

    def save(self, folder: Path) -> None:
        """Writes the decisions, without the jobs that failed: they are tried again when the sweep is repeated."""
        scores = [[job, rung, score] for (job, rung), score in self.scores.items() if score is not None]
        content = {"rungs": self.rungs, "factor": self.factor, "waves": self.waves, "scores": scores}
        with atomic(folder / FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")


def load(folder: Path, rungs: list[int | None], factor: int) -> Halving:
    """The decisions of an earlier start in this folder, or none.

    Raises:
        HydraException: if the earlier start had other rungs.
    """
    if not (folder / FILE).exists():
        return Halving(rungs, factor)
    content = json.loads((folder / FILE).read_text())
    before, now = (content["rungs"], content["factor"]), (rungs, factor)
    if before != now:
        said = "; ".join(f"{epochs[:-1]} epochs, one of {factor} trains on" for epochs, factor in (before, now))
        raise HydraException(
            f"{folder}: hydra.sweeper.prune=asha had and has other rungs: {said}: use another hydra.sweep.dir"
        )
    waves = [[(job, rung) for job, rung in wave] for wave in content["waves"]]
    return Halving(rungs, factor, waves, {(job, rung): score for job, rung, score in content["scores"]})


def write_until(folder: Path, wave: Sequence[Step], epochs: Sequence[int | None]) -> None:
    """Tells the processes of the jobs after how many epochs they wait.

    Args:
        folder: of the sweep.
        wave: the jobs with their rungs.
        epochs: of each rung.
    """
    with atomic(folder / UNTIL) as temporary:
        temporary.write_text(json.dumps({job: epochs[rung] for job, rung in wave}))
