"""Whether a trial of an Optuna study should give up. The process of the trial asks this itself."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from litlab.config import read_overrides
from litlab.sweeps.space import written
from litlab.sweeps.study import NAME, go_on_with, has_study, import_optuna, running_trials, storage_of


def hopeless_by_median(run_dir: Path) -> Callable[[int, float], bool] | None:
    """A function that says whether a trial is worse than the median of the others. None for every other run.

    Args:
        run_dir: the folder of the run, which may be a trial of a study with pruning.

    Returns:
        A function of the number of epochs and the value of the objective after them. It reports the value to the
        study, and returns whether to give up.
    """
    sweep = run_dir.parent
    if not has_study(sweep):
        return None
    hydra: Any = OmegaConf.load(sweep / "multirun.yaml").hydra  # the job's own file may be from an earlier start
    if not hydra.sweeper.get("prune"):
        return None
    optuna = import_optuna()
    pruner = optuna.pruners.MedianPruner(hydra.sweeper.prune_after_trials, hydra.sweeper.prune_after_epochs)
    storage = storage_of(sweep)
    study = optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
    asked = set(read_overrides(run_dir))
    own = next((t for t in running_trials(study) if t.params and _overrides(t.params) <= asked), None)
    if own is None:  # the sweep has ended, and the user resumes one of its jobs
        return None
    trial = go_on_with(study, storage, own.number)

    def hopeless(epochs: int, value: float) -> bool:
        with warnings.catch_warnings(action="ignore"):  # a resumed trial may report an epoch again
            trial.report(value, epochs)
        return bool(trial.should_prune())

    return hopeless


def _overrides(chosen: dict[str, Any]) -> set[str]:
    return {f"{key}={written(value)}" for key, value in chosen.items()}
