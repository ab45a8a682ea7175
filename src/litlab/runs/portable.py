"""Keeps absolute paths out of run folders, so that they can be moved or given away."""

import os
from pathlib import Path
from typing import Any

import yaml

from litlab.files import atomic
from litlab.runs.layout import HYDRA


def remove_absolute_paths(recorded: Path) -> None:
    """Replaces the absolute paths in a file that Hydra has written.

    Args:
        recorded: `hydra.yaml` or `multirun.yaml`. Does nothing if there is no such file.
    """
    if not recorded.exists() or "\n    cwd: .\n" in (text := recorded.read_text()):
        return
    try:
        content = _load(text)
        runtime = content["hydra"]["runtime"]
        sources = runtime["config_sources"]
    except (yaml.YAMLError, TypeError, KeyError):  # another start of the same sweep is writing it, and does this then
        return
    runtime["cwd"] = runtime["output_dir"] = "."
    for source in sources:
        if source["schema"] == "file":
            source["path"] = _without_root(Path(source["path"]))
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    with atomic(recorded) as temporary:
        temporary.write_text(yaml.dump(content, Dumper=dumper, sort_keys=False, width=10_000))


def config_dirs(folder: Path) -> list[Path]:
    """The folders that `--config-dir` named when a run began, and that are still there.

    Args:
        folder: the run folder.
    """
    recorded = folder / HYDRA
    try:
        sources = _load(recorded.read_text())["hydra"]["runtime"]["config_sources"]
        named = [Path(source["path"]) for source in sources if source["provider"] == "command-line"]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError):  # there is none, or it is damaged
        return []
    return [path for path in named if path.is_dir()]


def _load(text: str) -> Any:
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # OmegaConf.load takes ten times as long


def _without_root(path: Path) -> str:
    """A path relative to the current folder if it is below it, else its last part."""
    here = Path.cwd()
    return os.fspath(path.relative_to(here)) if path.is_relative_to(here) and path != here else path.name
