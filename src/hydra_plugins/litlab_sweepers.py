"""Hydra looks for plugins in this namespace, and instantiates none from elsewhere."""

import functools
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from litlab.optuna_sweeper import OptunaSweeper
from litlab.survivor import Survivor
from litlab.sweeps import check, in_their_folders, subdir

__all__ = ["GridSweeper", "OptunaSweeper"]

OptunaSweeper.__module__ = __name__


class GridSweeper(BasicSweeper):
    """Hydra's own, which composes each job's config twice: once to see whether that can be done.

    Whether it can be does not depend on a plain value; one job for each setting, and for each option of a group, is
    tried here.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        check(config.hydra)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        assert self.launcher is not None
        self.launcher = Survivor(self.launcher, Path(config.hydra.sweep.dir))

    def get_job_batch(self) -> Sequence[Sequence[str]]:
        assert self.config is not None
        hydra = self.config.hydra
        return in_their_folders(super().get_job_batch(), Path(hydra.sweep.dir), subdir(hydra))

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        assert self.hydra_context is not None
        is_group = functools.cache(self.hydra_context.config_loader.get_group_options)  # it looks at the disk
        seen: set[str] = set()
        tried = []
        for overrides in batch:
            kinds = set()
            for override in overrides:
                key, _, value = override.partition("=")
                plain = not is_group(key.split("@")[0].lstrip("+~")) and not value.startswith("{")
                kinds.add(key if plain else override)
            if not kinds <= seen:
                tried.append(overrides)
                seen |= kinds
        super().validate_batch_is_legal(tried)
