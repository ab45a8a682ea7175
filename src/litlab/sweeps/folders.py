"""The names of the folders in which jobs work."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf, open_dict

from litlab.runs import RESULT
from litlab.sweeps.jobs import jobs_in, names_job


def folder_name(overrides: str) -> str:
    """A job's folder: its overrides, without what a file system or a shell stumbles over, and not too long."""
    name = _harmless(overrides)
    return name if len(name.encode()) <= 150 else f"{name.encode()[:140].decode(errors='ignore')}_{_digest(overrides)}"


def _harmless(overrides: str) -> str:
    return re.sub(r"[^\w.,=+-]+", "_", overrides).strip("_") or "default"


def _digest(overrides: str) -> str:
    return hashlib.sha256(overrides.encode()).hexdigest()[:8]


def has_begun(job: Path) -> bool:
    """Whether an earlier start has trained a job, or refused it, so that its folder has a record of that."""
    return (job / RESULT).exists() or any(job.glob("checkpoints/*.ckpt"))


def record_folder(job: str) -> str | None:
    """Where Hydra records the config of a job before it begins: nowhere, if it may be refused or is finished."""
    return None if has_begun(Path(job)) else ".hydra"


def in_their_folders(batch: Sequence[Sequence[str]], folder: Path, subdir: str) -> list[list[str]]:
    """The overrides of jobs, each of them once, and with them their folders where `subdir` would not do.

    Those that an earlier start has begun keep theirs: what that start swept, and so named them by, may be something
    else than now. Those whose names are the same without what cannot be in a name have a hash at its end.
    """
    begun = {frozenset(job.overrides): job.folder.name for job, _ in jobs_in(folder)}
    jobs = list(dict.fromkeys(map(tuple, batch)))
    alike = Counter(_harmless(",".join(overrides)) for overrides in jobs)
    placed = []
    for overrides in jobs:
        asked = ",".join(overrides)
        name = begun.get(frozenset(overrides)) or (f"{subdir}_{_digest(asked)}" if alike[_harmless(asked)] > 1 else "")
        own = [f"hydra.sweep.subdir={QuotedString(name, Quote.single).with_quotes()}"] if name else []
        placed.append([*overrides, *own])
    return placed


def subdir(hydra: Any) -> str:
    """`hydra.sweep.subdir`, which is different for each job, as it is written."""
    written: Any = OmegaConf.to_container(hydra, resolve=False)
    return str(written["sweep"]["subdir"])


def name_by_what_is_swept(config: DictConfig) -> None:
    """Gives all jobs one folder, and names those in it by what is swept alone, now or in an earlier start there."""
    folder = Path(config.hydra.sweep.dir)
    overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    earlier = [job for job, _ in jobs_in(folder)]
    swept = {o.key_or_group for o in overrides if o.is_sweep_override()}
    fixed = [
        key
        for key in dict.fromkeys(o.key_or_group for o in overrides)
        if key not in swept and not any(names_job(job, key) for job in earlier)
    ]
    with open_dict(config):
        # A process that runs some of the jobs composes the config anew, and would make a folder of its own.
        config.hydra.overrides.hydra += [
            f"hydra.job.config.override_dirname.exclude_keys={fixed}",
            f"hydra.sweep.dir={QuotedString(str(folder), Quote.single).with_quotes()}",
            "hydra.output_subdir='${record_folder:${hydra.runtime.output_dir}}'",
        ]


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
OmegaConf.register_new_resolver("record_folder", record_folder, replace=True)
