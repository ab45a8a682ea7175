"""`hydra/sweeper=grid`: a job for every combination of the given values."""

import functools
import itertools
from collections.abc import Mapping, Sequence

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from litlab.sweeps.folders import in_their_folders, subdir
from litlab.sweeps.sweeper import ReportedSweeper


class GridSweeper(ReportedSweeper):
    """Runs a job for every combination of the given values.

    Args:
        max_batch_size: how many jobs the launcher gets at once; None: all.
        params: more overrides, beside those of the command line.
    """

    def __init__(self, max_batch_size: int | None = None, params: Mapping[str, str] | None = None) -> None:
        if max_batch_size is not None and max_batch_size < 1:
            raise HydraException(f"hydra.sweeper.max_batch_size={max_batch_size}: must be at least 1, or null")
        self.max_batch_size, self.params = max_batch_size, dict(params or {})

    def run_jobs(self, arguments: list[str]) -> None:
        jobs = combinations(self.parsed([*(f"{key}={value}" for key, value in self.params.items()), *arguments]))
        self.save_config()
        size = self.max_batch_size or len(jobs)
        for first in range(0, len(jobs), size):
            batch = in_their_folders(jobs[first : first + size], self.folder, subdir(self.config.hydra))
            self._compose_one_of_each_kind(batch)
            for done in self.launcher.launch(batch, initial_job_idx=first):
                _ = done.return_value  # raises the error of the job, if it had one

    def _compose_one_of_each_kind(self, batch: Sequence[Sequence[str]]) -> None:
        """Composes configs before the first job begins, so that a mistake in the last job is found now.

        If a config can be composed with one plain value, it can be composed with every other. So one job for each
        setting is tried, and one for each option of a group.
        """
        loader = self.hydra_context.config_loader
        is_group = functools.cache(loader.get_group_options)  # cached, since it reads the disk
        seen: set[str] = set()
        for overrides in batch:
            kinds = set()
            for override in overrides:
                key, _, value = override.partition("=")
                plain = not is_group(key.split("@")[0].lstrip("+~")) and not value.startswith("{")
                kinds.add(key if plain else override)
            if not kinds <= seen:
                loader.load_sweep_config(self.config, list(overrides))
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
