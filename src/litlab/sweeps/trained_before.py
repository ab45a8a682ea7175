"""Which jobs of a repeated sweep need no training: another job there has the same config, and is finished."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from litlab.runs import CONFIG
from litlab.sweeps.folders import USUAL_SUBDIR, same_job
from litlab.sweeps.jobs import jobs_in
from litlab.sweeps.overrides import RESOLVER


def trained_before(
    jobs: Sequence[Sequence[str]], folder: Path, subdir: str, composed: Callable[[Sequence[str]], DictConfig]
) -> dict[tuple[str, ...], str]:
    """The jobs whose whole config is that of a finished job with other overrides, such as `seed=42` and none.

    Args:
        jobs: the overrides of each job.
        folder: of the sweep.
        subdir: the unresolved `hydra.sweep.subdir`. With one of the user's own, folders may be named by the places
            of the jobs. So all jobs stay in their places.
        composed: composes the config of a job.

    Returns:
        By the overrides: the name of the folder of the finished job.
    """
    there = list(jobs_in(folder)) if subdir == USUAL_SUBDIR else []
    begun = {same_job(job.overrides) for job, _ in there}
    new = [tuple(job) for job in jobs if same_job(job) not in begun]
    finished = [job.folder for job, result in there if result.get("status") == "completed"]
    if not new or not finished:
        return {}
    known = {text: job.name for job in reversed(finished) if (text := _recorded(job))}
    found = {job: known.get(_text(composed(job)) or "") for job in new}
    return {job: name for job, name in found.items() if name}


def _recorded(job: Path) -> str | None:
    """The config of a finished job as text; None if there is none to compare."""
    try:
        recorded = OmegaConf.load(job / CONFIG)
    except Exception:  # lost or damaged: then the job with this config is trained
        return None
    return _text(recorded) if isinstance(recorded, DictConfig) else None


def _text(cfg: DictConfig) -> str | None:
    """A config as text, without the name of the sweep; None if a value in it depends on more than the config.

    Such values are `${hydra:job.num}` and `${oc.env:HOME}`: equal texts, which need not be equal values.
    """
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    text = json.dumps({key: value for key, value in plain.items() if key not in ("hydra", "name")}, default=repr)
    return None if RESOLVER.search(text) else text
