"""The Optuna study of a sweep: `study.db` (SQLite) in its folder.

Optuna is imported in functions only: it is optional, and takes a second.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.errors import HydraException

from litlab.sweeps.space import Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

    Storage: TypeAlias = RDBStorage

FILE, NAME = "study.db", "sweep"  # the database, and the study in it
ELSEWHERE = "use another hydra.sweep.dir"


def import_optuna() -> Any:
    """Optuna, without its log.

    Raises:
        HydraException: if it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise HydraException('hydra/sweeper=optuna needs Optuna: pip install -e ".[optuna]"') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def has_study(folder: Path) -> bool:
    """Whether a sweep's folder holds a study."""
    return (folder / FILE).exists()


def storage_of(folder: Path) -> "Storage":
    """The database of a sweep's study. It is made if there is none."""
    storage: Storage = import_optuna().storages.RDBStorage(f"sqlite:///{folder / FILE}")
    return storage


def running_trials(study: "Study") -> list["FrozenTrial"]:
    """The trials that have begun and not ended, as they are now."""
    import optuna

    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))


def go_on_with(study: "Study", storage: "Storage", number: int) -> "Trial":
    """A trial that has begun, to go on with. `study.ask` and `study.enqueue_trial` can only begin new ones.

    Args:
        study: in this storage.
        storage: knows the trial's ID, which a trial of `study.trials` has under a private name only.
        number: of the trial.
    """
    import optuna

    study_id = storage.get_study_id_from_name(NAME)
    return optuna.trial.Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))


def check_same(study: "Study", described: dict[str, Any], space: Space, folder: Path) -> None:
    """Writes into a new study what it is about, and compares an old study with it.

    Args:
        study: new, or of an earlier start.
        described: `settings` that are the same in all trials, and `searched`, the sorted keys of `space`.
        space: the settings that are searched.
        folder: of the sweep, for messages.

    Raises:
        HydraException: naming the first difference.
    """
    if not study.user_attrs:
        study.set_user_attr("about", described)
        return
    before = study.user_attrs["about"]
    for name in set(before["searched"]) ^ set(described["searched"]):
        now_or_before = "now, and was not before" if name in described["searched"] else "no more, and was before"
        raise HydraException(f"{folder}: {name} is searched {now_or_before}: {ELSEWHERE}")
    was, now = before["settings"], json.loads(json.dumps(described["settings"]))  # as the study has written it
    for key in [*now, *(key for key in was if key not in now)]:
        if was.get(key) != now.get(key):
            raise HydraException(f"{folder}: {key} was {was.get(key)}, which is now {now.get(key)}: {ELSEWHERE}")
    _check_same_values(study, space, folder)


def _check_same_values(study: "Study", space: Space, folder: Path) -> None:
    from optuna.distributions import check_distribution_compatibility

    for trial in study.get_trials(deepcopy=False):
        for name, values in trial.distributions.items():
            try:
                check_distribution_compatibility(values, space[name])
            except ValueError:
                raise HydraException(f"{folder}: {name} was {values}, now {space[name]}: {ELSEWHERE}") from None
