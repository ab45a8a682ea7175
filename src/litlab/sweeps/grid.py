"""`hydra/sweeper=grid`: a job for every combination of the given values."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict

from litlab.config import changed, difference, numeric, objective_mode
from litlab.console import say
from litlab.errors import ConfigError
from litlab.sweeps.composing import COMPOSITION
from litlab.sweeps.folders import check_apart, check_places, folder_name, in_their_folders, subdir
from litlab.sweeps.halving import Halving, load, rungs, write_until
from litlab.sweeps.jobs import UNTIL, job_key, jobs_in, key_of, names_job, trained_config
from litlab.sweeps.overrides import as_typed
from litlab.sweeps.pruning import check_pruning
from litlab.sweeps.stopping import stopped_with
from litlab.sweeps.study import has_study
from litlab.sweeps.sweeper import ReportedSweeper
from litlab.sweeps.trained_before import trained_before


class GridSweeper(ReportedSweeper):
    """Runs a job for every combination of the given values.

    Args:
        max_batch_size: how many jobs the launcher gets at once; None: all.
        params: more overrides, beside those of the command line.
        prune: `asha`: most jobs end early, see `litlab.sweeps.halving`; False: each job trains to its end.
        prune_after_epochs: the epochs of the first rung.
        reduction_factor: one of so many jobs trains on from each rung.
    """

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: Mapping[str, str] | None = None,
        prune: Any = False,
        prune_after_epochs: int = 1,
        reduction_factor: int = 3,
    ) -> None:
        if max_batch_size is not None and max_batch_size < 1:
            raise HydraException(f"hydra.sweeper.max_batch_size={max_batch_size}: must be at least 1, or null")
        check_pruning(prune, ("asha",), prune_after_epochs, reduction_factor)
        self.max_batch_size, self.params = max_batch_size, dict(params or {})
        self.prune, self.prune_after_epochs, self.reduction_factor = prune, prune_after_epochs, reduction_factor

    def run_jobs(self, arguments: list[str]) -> None:
        jobs = combinations(self.parsed([*(f"{key}={value}" for key, value in self.params.items()), *arguments]))
        self.check_values(itertools.chain.from_iterable(jobs))
        self._compose_one_of_each_kind(jobs)
        self._compare_earlier_jobs(jobs)
        if not self.prune:
            jobs = self._without_trained(jobs)
        swept = [sorted(o for o in job if o.partition("=")[0] not in self.launcher.fixed) for job in jobs]
        self._check_apart(jobs)
        check_places(self.folder, folders=[folder_name(",".join(overrides)) for overrides in swept])
        earlier = {job_key(job.overrides) for job, _ in jobs_in(self.folder)}
        self.save_config(len(earlier.union(map(job_key, jobs))))
        if self.prune:
            self._run_and_halve(jobs)
            return
        if has_study(self.folder):
            write_until(self.folder, [], [])  # trials that were pruned train to their end
        size, self.launcher.total = self.max_batch_size or max(1, len(jobs)), len(jobs)
        for first in range(0, len(jobs), size):
            if stopped_with(self.folder):
                return
            self._launch(jobs[first : first + size], first)

    def _without_trained(self, jobs: list[list[str]]) -> list[list[str]]:
        """The jobs without those whose config a finished job of the sweep has; says which these are."""
        known = trained_before(jobs, self.folder, subdir(self.config.hydra), self.composed)
        for job in dict.fromkeys(map(tuple, jobs)):
            if name := known.get(job):
                own = " ".join(as_typed(o) for o in job if key_of(o) not in self.launcher.fixed)
                say(f"{own or 'this job'}: finished before as {name}, not run again")
        return [job for job in jobs if tuple(job) not in known]

    def _check_apart(self, jobs: Sequence[Sequence[str]]) -> None:
        """Refuses a `hydra.sweep.subdir` that gives two jobs one folder."""
        written = subdir(self.config.hydra)
        placed = in_their_folders(jobs, self.folder, written)

        def name_of(number: int) -> str:
            return str(changed(self.composed(placed[number]), {"hydra.job.num": number}).hydra.sweep.subdir)

        check_apart(list(dict.fromkeys(map(tuple, jobs))), self.folder, written, name_of)

    def _launch(self, jobs: Sequence[Sequence[str]], first: int) -> None:
        """Runs some jobs. `first` is the number of the first of them."""
        batch = in_their_folders(jobs, self.folder, subdir(self.config.hydra))
        for done in self.launcher.launch(batch, initial_job_idx=first):
            _ = done.return_value  # raises the error of the job, if it had one

    def _run_and_halve(self, jobs: Sequence[Sequence[str]]) -> None:
        """Runs jobs in waves. After each wave, the best of them train on."""
        named = {job_key(job): job for job in jobs}
        cfg = self.composed(jobs[0])
        if OmegaConf.select(cfg, "callbacks.checkpoints.enabled") is False:
            raise HydraException("hydra.sweeper.prune=asha: not with callbacks.checkpoints.enabled=false")
        best_of = max if objective_mode(cfg) == "max" else min
        halving = self._halving(cfg.trainer.max_epochs)
        first = 0
        while wave := halving.next_wave(list(named), self.max_batch_size, best_of):
            halving.save(self.folder)
            write_until(self.folder, wave, halving.rungs)
            self._launch([named[job] for job, _ in wave], first)
            if stopped_with(self.folder):
                return
            halving.read_scores(self.folder, wave)
            first += len(wave)
        halving.save(self.folder)
        (self.folder / UNTIL).unlink(missing_ok=True)

    def _halving(self, epochs: int | None) -> Halving:
        if epochs is None or epochs < 1:
            raise HydraException(f"hydra.sweeper.prune=asha needs a length: trainer.max_epochs={epochs}")
        found = rungs(self.prune_after_epochs, self.reduction_factor, epochs)
        if len(found) == 1:
            raise HydraException(
                f"hydra.sweeper.prune_after_epochs={self.prune_after_epochs}: must be less than "
                f"trainer.max_epochs={epochs}"
            )
        return load(self.folder, found, self.reduction_factor)

    def _compare_earlier_jobs(self, jobs: Sequence[Sequence[str]]) -> None:
        """Refuses other settings than those of the jobs that an earlier start has trained: nobody could compare them.

        Of the jobs that had the same settings beside the swept ones, one is compared.

        Raises:
            HydraException: naming a job, and the setting.
        """
        shared = [override for override in jobs[0] if all(override in job for job in jobs)]
        fixed = {key_of(override): override for override in shared}
        swept = {key_of(override) for override in jobs[0]} - fixed.keys()
        seen = set()
        for job, result in jobs_in(self.folder):
            named = [key_of(line) for line in job.overrides if names_job(job, key_of(line))]
            own = [line for line in job.overrides if key_of(line) in swept.union(named)]
            others = tuple(line for line in job.overrides if line not in own)
            if not named or others in seen or not (before := trained_config(job, result)):
                continue  # with a `hydra.sweep.subdir` of one's own, nobody knows what was swept
            seen.add(others)
            own_keys = set(map(key_of, own))
            try:
                cfg = self.composed([*(line for key, line in fixed.items() if key not in own_keys), *own])
                with open_dict(cfg):
                    del cfg["hydra"]
                changed = difference(before, numeric(cfg))
            except (*COMPOSITION, ConfigError):  # today there is no such job
                continue
            if changed:
                raise HydraException(f"{job.folder.name} was trained with {changed}: use another hydra.sweep.dir")

    def _compose_one_of_each_kind(self, jobs: Sequence[Sequence[str]]) -> None:
        """Composes configs before the first job begins, so that a mistake in the last job is found now.

        If a config can be composed with one plain value, it can be composed with every other. So one job for each
        setting is tried, and one for each option of a group.
        """
        loader = self.hydra_context.config_loader
        is_group = functools.cache(loader.get_group_options)  # cached, since it reads the disk
        seen: set[str] = set()
        for overrides in jobs:
            kinds = set()
            for override in overrides:
                key, _, value = override.partition("=")
                plain = not is_group(key.split("@")[0].lstrip("+~")) and not value.startswith("{")
                kinds.add(key if plain else override)
            if not kinds <= seen:
                self.composed(overrides)
                seen |= kinds


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """The overrides of every job.

    Raises:
        HydraException: for values that cannot be counted, such as `interval(0, 1)`.
    """
    choices: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            choices[key] = [f"{key}={override.get_value_element_as_str()}"]
        elif override.is_discrete_sweep():
            choices[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            raise HydraException(f"{override.input_line}: has no end of values; hydra/sweeper=optuna searches them")
    return [list(job) for job in itertools.product(*choices.values())]
