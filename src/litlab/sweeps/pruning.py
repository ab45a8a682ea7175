"""Whether a trial of an Optuna study has become hopeless, asked by the trial itself."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from litlab.runs import OVERRIDES

STUDY, NAME = "study.db", "sweep"  # the file, and the study in it
INSTALL = 'hydra/sweeper=optuna needs Optuna: pip install -e ".[optuna]"'


def import_optuna() -> Any:
    """Optuna, without its log.

    Raises:
        HydraException: if it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise HydraException(INSTALL) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def written(value: Any) -> str:
    """A chosen value in an override: six digits are more than a learning rate needs, and keep folder names short."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def hopeless_by_median(run_dir: Path) -> Callable[[int, float], bool] | None:
    """For a trial of a study with pruning: reports a value after so many epochs, and answers whether to give up.

    None for every other run.
    """
    if not (run_dir.parent / STUDY).exists():
        return None
    hydra: Any = OmegaConf.load(run_dir.parent / "multirun.yaml").hydra  # the job's own may be an earlier start's
    if not hydra.sweeper.get("prune"):
        return None
    optuna = import_optuna()
    pruner = optuna.pruners.MedianPruner(hydra.sweeper.prune_after_trials, hydra.sweeper.prune_after_epochs)
    study = optuna.load_study(study_name=NAME, storage=f"sqlite:///{run_dir.parent / STUDY}", pruner=pruner)
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    asked = {str(override) for override in OmegaConf.load(run_dir / OVERRIDES)}
    own = next((t for t in running if t.params and {f"{k}={written(v)}" for k, v in t.params.items()} <= asked), None)
    if own is None:  # resume= of a job whose sweep has ended
        return None
    trial = optuna.trial.Trial(study, own._trial_id)

    def hopeless(epochs: int, value: float) -> bool:
        with warnings.catch_warnings(action="ignore"):  # an epoch that is done again was reported before
            trial.report(value, epochs)
        return bool(trial.should_prune())

    return hopeless
