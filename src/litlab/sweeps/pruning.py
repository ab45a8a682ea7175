"""Which jobs of a sweep end early. The process of a job asks this itself, after each epoch."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from litlab.config import read_overrides
from litlab.sweeps.jobs import UNTIL, until
from litlab.sweeps.space import written
from litlab.sweeps.study import NAME, go_on_with, has_study, import_optuna, running_trials, storage_of

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.pruners import BasePruner

METHODS = ("median", "asha", "hyperband")
GAVE_UP = "gave_up"  # attribute of a trial: the epochs after which it was told to give up

Hopeless = Callable[[int, float], bool]  # from the number of epochs, and the objective after them


def check_pruning(prune: Any, methods: Sequence[str], after_epochs: int, factor: int) -> None:
    """Checks the settings of pruning.

    Args:
        prune: False, or one of `methods`. True is `median` where there is that.
        methods: that the sweeper has.
        after_epochs: of the first comparison.
        factor: one of so many jobs trains on.

    Raises:
        HydraException: at the first that is wrong.
    """
    if prune not in (False, None, *methods, *([True] if "median" in methods else [])):
        more = "" if "median" in methods else "; hydra/sweeper=optuna has median and hyperband"
        raise HydraException(f"hydra.sweeper.prune={prune}: must be false or {', '.join(methods)}{more}")
    for key, value in {"prune_after_epochs": after_epochs, "reduction_factor": factor}.items():
        if type(value) is not int:
            raise HydraException(f"hydra.sweeper.{key}={value}: must be a whole number")
    if after_epochs < 1:
        raise HydraException(f"hydra.sweeper.prune_after_epochs={after_epochs}: must be at least 1")
    if factor < 2:
        raise HydraException(f"hydra.sweeper.reduction_factor={factor}: must be at least 2")


def make_pruner(sweeper: Any, max_epochs: int | None) -> "BasePruner":
    """Optuna's pruner for the settings of a sweeper.

    Args:
        sweeper: the part `hydra.sweeper` of the config.
        max_epochs: of a trial.

    Raises:
        HydraException: if `prune=hyperband` does not know the length of a trial.
    """
    pruners = import_optuna().pruners
    method, after, factor = sweeper.get("prune"), sweeper.prune_after_epochs, sweeper.get("reduction_factor", 3)
    if method == "asha":
        return pruners.SuccessiveHalvingPruner(min_resource=after, reduction_factor=factor)
    if method == "hyperband":
        if max_epochs is None or max_epochs < 1:
            raise HydraException("hydra.sweeper.prune=hyperband needs one trainer.max_epochs for all trials")
        return pruners.HyperbandPruner(min_resource=after, max_resource=max_epochs, reduction_factor=factor)
    if method:
        return pruners.MedianPruner(sweeper.prune_after_trials, after)
    return pruners.NopPruner()


def waits_after(run_dir: Path, overrides: Sequence[str]) -> int | None:
    """The epochs after which a job of a grid waits for the others; None: it trains to its end."""
    return until(run_dir.parent, overrides)


def is_final(run_dir: Path, overrides: Sequence[str], epochs: int) -> bool:
    """Whether a job that was pruned after so many epochs stays so in this start of its sweep."""
    if (run_dir.parent / UNTIL).exists():
        allowed = until(run_dir.parent, overrides)
        return allowed is not None and epochs >= allowed
    return has_study(run_dir.parent)


def compared_with_others(run_dir: Path, max_epochs: int | None) -> Hopeless | None:
    """A function that says whether a trial of a study should give up. None for every other run.

    Args:
        run_dir: the folder of the run, which may be a trial of a study.
        max_epochs: of the run.

    Returns:
        A function of the number of epochs and the value of the objective after them. It reports the value to the
        study, and returns whether to give up. Without pruning it never does.
    """
    sweep = run_dir.parent
    if not has_study(sweep):
        return None
    hydra: Any = OmegaConf.load(sweep / "multirun.yaml").hydra  # the job's own file may be from an earlier start
    storage = storage_of(sweep)
    pruner = make_pruner(hydra.sweeper, max_epochs)
    study = import_optuna().load_study(study_name=NAME, storage=storage, pruner=pruner)
    asked = set(read_overrides(run_dir))
    own = next((t for t in running_trials(study) if t.params and _overrides(t.params) <= asked), None)
    if own is None:  # the sweep has ended, and the user resumes one of its jobs
        return None
    trial = go_on_with(study, storage, own.number)
    return lambda epochs, value: _gives_up(trial, epochs, value)


def _gives_up(trial: "Trial", epochs: int, value: float) -> bool:
    """Reports a value, and returns whether to give up. A job that goes on may report an epoch again."""
    if trial.user_attrs.get(GAVE_UP) == epochs:
        return True
    with warnings.catch_warnings(action="ignore"):  # the first report of an epoch counts
        trial.report(value, epochs)
    told = bool(trial.should_prune())
    if told:  # asked again, Optuna's successive halving would compare at the next rung
        trial.set_user_attr(GAVE_UP, epochs)
    return told


def _overrides(chosen: dict[str, Any]) -> set[str]:
    return {f"{key}={written(value)}" for key, value in chosen.items()}
