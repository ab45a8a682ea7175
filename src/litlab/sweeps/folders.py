"""The names of the folders of a sweep's jobs."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from litlab.config import typed_overrides
from litlab.files import shown
from litlab.runs import RESULT
from litlab.sweeps.jobs import jobs_in, names_job
from litlab.sweeps.overrides import as_value

USUAL_SUBDIR = "${folder_name:${hydra.job.override_dirname}}"  # of conf/train.yaml
APART = "leave it out, or write hydra.sweep.subdir='${hydra.job.num}'"


def folder_name(overrides: str) -> str:
    """The name of a job's folder: its overrides, without characters that are trouble in a shell, and not too long."""
    name = _harmless(overrides)
    return name if len(name.encode()) <= 150 else f"{name.encode()[:140].decode(errors='ignore')}_{_digest(overrides)}"


def check_places(sweep: Path, files: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
    """Refuses what is in the way of the files and of the folders that a sweep makes, before its first job begins.

    Args:
        sweep: the folder of the sweep.
        files: the names of its files.
        folders: those of its jobs.

    Raises:
        HydraException: naming what is in the way.
    """
    if name := next((name for name in files if (sweep / name).is_dir()), None):
        raise HydraException(f"{shown(sweep / name)} is a folder, and the sweep has a file of this name: rename it")
    if name := next((name for name in folders if (sweep / name).is_file()), None):
        raise HydraException(f"{shown(sweep / name)} is a file, and a job has a folder of this name: rename it")


def has_begun(job: Path) -> bool:
    """Whether an earlier start has trained or refused a job. Its folder then records its config."""
    return (job / RESULT).exists() or any(job.glob("checkpoints/*.ckpt"))


def record_folder(job: str) -> str | None:
    """Where Hydra records the config of a job before it begins; None: nowhere, since an earlier record must stay."""
    return None if has_begun(Path(job)) else ".hydra"


def in_their_folders(batch: Sequence[Sequence[str]], folder: Path, subdir: str) -> list[list[str]]:
    """The overrides of each different job, with a folder where `hydra.sweep.subdir` would not give the right one.

    A job that an earlier start has begun keeps its folder: that start may have swept other settings, and have named the
    folder by them. Jobs whose names would be the same get a hash at the end.

    Args:
        batch: the overrides of jobs.
        folder: of the sweep.
        subdir: the unresolved `hydra.sweep.subdir`.
    """
    begun = {same_job(job.overrides): job.folder.name for job, _ in jobs_in(folder)}
    jobs = list(dict.fromkeys(map(tuple, batch)))
    alike = Counter(_harmless(",".join(overrides)) for overrides in jobs)
    placed = []
    for overrides in jobs:
        written = ",".join(overrides)
        name = begun.get(same_job(overrides))
        if name is None and alike[_harmless(written)] > 1:
            name = f"{subdir}_{_digest(written)}"
        placed.append([*overrides, *([_quoted("hydra.sweep.subdir", name)] if name else [])])
    return placed


def check_apart(jobs: Sequence[Sequence[str]], folder: Path, subdir: str, name_of: Callable[[int], str]) -> None:
    """Refuses a `hydra.sweep.subdir` of one's own that gives two jobs one folder: the second would never train.

    Args:
        jobs: the overrides of each different job.
        folder: of the sweep. It may have jobs of earlier starts.
        subdir: the unresolved `hydra.sweep.subdir`.
        name_of: the name of the folder of a job, by its number.

    Raises:
        HydraException: naming two jobs, and what to write.
    """
    if subdir == USUAL_SUBDIR:
        return
    earlier = {job.folder.name: job.overrides for job, _ in jobs_in(folder)}
    taken: dict[str, Sequence[str]] = dict(earlier)
    for number, job in enumerate(jobs):
        other = taken.setdefault(name := name_of(number), job)
        if same_job(other) != same_job(job):
            one, two = (" ".join(sorted(same_job(a) - same_job(b))) for a, b in ((other, job), (job, other)))
            instead = "leave it out, or use another hydra.sweep.dir" if name in earlier else APART
            raise HydraException(
                f"hydra.sweep.subdir={subdir}: {one} and {two} would have one folder, {name}; {instead}"
            )


def check_apart_in_a_study(subdir: str, trials: int) -> None:
    """The same of trials whose settings are not yet known: refuses a name that has nothing of the trial in it."""
    if trials > 1 and "${" not in subdir:
        raise HydraException(f"hydra.sweep.subdir={subdir}: all trials would be in one folder; {APART}")


def subdir(hydra: Any) -> str:
    """`hydra.sweep.subdir` as it is written. Resolved, it is different for each job."""
    written: Any = OmegaConf.to_container(hydra, resolve=False)
    return str(written["sweep"]["subdir"])


def name_by_what_is_swept(config: DictConfig) -> None:
    """Puts all jobs into one folder, and names them by the settings that this or an earlier start there sweeps."""
    folder = Path(config.hydra.sweep.dir)
    overrides = OverridesParser.create().parse_overrides(typed_overrides(config.hydra))
    earlier = [job for job, _ in jobs_in(folder)]
    swept = {o.key_or_group for o in overrides if o.is_sweep_override()}
    fixed = [
        key
        for key in dict.fromkeys(o.key_or_group for o in overrides)
        if key not in swept and not any(names_job(job, key) for job in earlier)
    ]
    with open_dict(config):
        # Processes that run jobs compose the config again. Without this they would make a folder of their own.
        config.hydra.overrides.hydra += [
            f"hydra.job.config.override_dirname.exclude_keys={fixed}",
            _quoted("hydra.sweep.dir", str(folder)),
            "hydra.output_subdir='${record_folder:${hydra.runtime.output_dir}}'",
        ]


def same_job(overrides: Iterable[str]) -> frozenset[str]:
    """What two jobs have in common that are the same one, however their overrides are written and ordered."""
    return frozenset(map(as_value, overrides))


def _harmless(overrides: str) -> str:
    return re.sub(r"[^\w.,=+-]+", "_", overrides).strip("_") or "default"


def _digest(overrides: str) -> str:
    return hashlib.sha256(overrides.encode()).hexdigest()[:8]


def _quoted(key: str, value: str) -> str:
    """An override, with quotes around its value."""
    return f"{key}={QuotedString(value, Quote.single).with_quotes()}"


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
OmegaConf.register_new_resolver("record_folder", record_folder, replace=True)
