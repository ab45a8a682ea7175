"""`resume=...`: which run to go on with, from which checkpoint, and with which config.

A run goes on in its own folder with the config recorded there (`.hydra/config.yaml`), not with what `conf/` says today.
Overrides given beside `resume=` change only the keys that they name; what results is recorded in turn.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hydra
from omegaconf import DictConfig, OmegaConf

from litlab.config import CONFIG, OVERRIDES, RESULT, ConfigError
from litlab.console import one_line

BEST = "checkpoints/best.ckpt"
CHECKPOINTS = ("checkpoints/last.ckpt", "checkpoints/previous.ckpt")


class Resumed(NamedTuple):
    """A run to go on with."""

    folder: Path
    checkpoint: Path | None  # None: the latest that is whole
    overrides: list[str]  # of the run so far, and now


def from_command_line(arguments: list[str], conf: Path, config_name: str) -> tuple[DictConfig, Resumed]:
    """What `resume=...`, among other arguments, asks for.

    Raises:
        ConfigError: if that cannot be, or there is no such run.
    """
    specs = [argument.removeprefix("resume=") for argument in arguments if argument.startswith("resume=")]
    overrides = [argument for argument in arguments if not argument.startswith("resume=")]
    if any(argument.startswith("-") for argument in overrides):
        raise ConfigError(f"resume={specs[0]} goes with overrides only, not with {overrides[0]}")
    if len(specs) > 1:
        raise ConfigError(f"resume={specs[0]} and resume={specs[1]}: there can be one only")
    folder, checkpoint = find(specs[0])
    cfg, together = compose(folder, overrides, conf, config_name)
    return cfg, Resumed(folder, checkpoint, together)


def find(spec: str, runs: Path = Path("runs")) -> tuple[Path, Path | None]:
    """The run folder, and the checkpoint if one was named, that `latest`, a folder or a file stands for.

    Raises:
        ConfigError: if there is none.
    """
    if spec == "latest":
        folders = [config.parents[1] for config in runs.glob(f"**/{CONFIG}")]
        if not folders:
            raise ConfigError(f"resume=latest: there is no run in {runs}/")
        return max(folders, key=_last_sign_of_life), None
    path = Path(spec).expanduser()
    if path.is_file():
        folder, checkpoint = path.absolute().parent.parent, path.absolute()
    else:
        folder, checkpoint = path, None
    if not (folder / CONFIG).is_file():
        what = "no run folder (it has no .hydra/config.yaml)" if path.exists() else "no such run folder or checkpoint"
        raise ConfigError(f"resume={spec}: {what}; give latest, a folder below runs/ or a checkpoint in one")
    return folder, checkpoint


def compose(folder: Path, overrides: list[str], conf: Path, config_name: str) -> tuple[DictConfig, list[str]]:
    """The recorded config with `overrides` applied, and all overrides of the run so far.

    Raises:
        ConfigError: if an override is wrong.
    """
    recorded = OmegaConf.load(folder / CONFIG)
    assert isinstance(recorded, DictConfig)
    earlier = [str(override) for override in OmegaConf.load(folder / OVERRIDES)]
    if not overrides:
        return recorded, earlier
    if any(override.lstrip("+~").startswith("hydra") for override in overrides):
        raise ConfigError("resume= goes on in the run's own folder: leave out hydra.* overrides")
    together = combine(earlier, overrides)
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        before, after = (_leaves(hydra.compose(config_name, list_)) for list_ in (earlier, together))
    kept = {key[:length] for key in after for length in range(len(key) + 1)}  # with the nodes that hold them
    for key in before:
        gone = next((key[:length] for length in range(1, len(key) + 1) if key[:length] not in kept), None)
        parent = OmegaConf.select(recorded, ".".join(gone[:-1])) if gone else None
        if gone and isinstance(parent, DictConfig):
            parent.pop(gone[-1], None)
    for key, value in after.items():
        if key not in before or before[key] != value:
            OmegaConf.update(recorded, ".".join(key), value, force_add=True, merge=False)
    if any(_key(override) == "optimizer.lr" for override in overrides):
        recorded.rewinds, recorded.rewound_to = 0, None  # the learning rate is what the user says now
    return recorded, together


def combine(earlier: list[str], later: list[str]) -> list[str]:
    """Both lists, without those of the earlier that the later replace."""
    replaced = {_key(override) for override in later}
    return [override for override in earlier if _key(override) not in replaced] + later


def record(folder: Path, cfg: DictConfig, overrides: list[str]) -> Callable[[], None]:
    """Writes what the run goes on with into its folder; returns what puts back the files as they were.

    Raises:
        ConfigError: if nothing can be written there.
    """
    from litlab.checkpoint import atomic

    before = {name: (folder / name).read_bytes() for name in (CONFIG, OVERRIDES)}

    def put(contents: dict[str, bytes]) -> None:
        for name, content in contents.items():
            with atomic(folder / name) as temporary:
                temporary.write_bytes(content)

    now = {CONFIG: OmegaConf.to_yaml(cfg).encode(), OVERRIDES: OmegaConf.to_yaml(OmegaConf.create(overrides)).encode()}
    try:
        put(now)
    except OSError as error:
        with contextlib.suppress(OSError):
            put(before)
        raise ConfigError(f"{folder}: cannot be written to: {error.strerror}") from error
    return lambda: put(before)


def hold(folder: Path) -> int:
    """Makes this process the only one that trains in `folder`, until it ends; returns the lock's file descriptor.

    Raises:
        ConfigError: if another process does.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ConfigError(f"{folder}: another process is training in it") from None
    except OSError:  # a file system without locks
        pass
    return handle


def whole_checkpoint(folder: Path, named: Path | None) -> Path | None:
    """The checkpoint to go on from: the one named, else the latest that is whole; None if there is none yet.

    Raises:
        ConfigError: if there are checkpoints and none is whole.
    """
    from litlab.checkpoint import read
    from litlab.console import warn

    candidates = [named] if named else [folder / name for name in CHECKPOINTS]
    problems = []
    for path in candidates:
        if not path.exists():
            continue
        try:
            read(path)
        except ValueError as error:
            problems.append(one_line(error))
            continue
        for problem in problems:
            warn(f"{problem}; going on from {path.name}")
        return path
    if problems:
        raise ConfigError(f"resume: {'; '.join(problems)}")
    return None


def good_checkpoint(folder: Path, before: int | None) -> Path | None:
    """The latest checkpoint that is whole, made `last.ckpt`; None, and no `last.ckpt` any more, if there is none.

    Args:
        before: a step: the NaN came back from the checkpoint of that step. Unless one was saved since, an older one is
            taken, the best among them.
    """
    from litlab.checkpoint import copy, read

    steps = {}
    for name in (*CHECKPOINTS, BEST):
        with contextlib.suppress(ValueError, FileNotFoundError):
            steps[folder / name] = read(folder / name)["global_step"]
    last, *older = (folder / name for name in (*CHECKPOINTS, BEST))
    if before is not None and steps.get(last, before) <= before:
        steps = {path: step for path, step in steps.items() if step < before}
    found = max(steps, key=lambda path: steps[path], default=None)
    if found is None:
        for path in (last, *older):
            path.unlink(missing_ok=True)
    elif found != last:
        copy(found, last)
    return last if found else None


def _last_sign_of_life(folder: Path) -> float:
    files = [folder / CONFIG, folder / "metrics.csv", folder / RESULT, folder / CHECKPOINTS[0]]
    return max(path.stat().st_mtime for path in files if path.exists())


def _key(override: str) -> str:
    return re.split("=", override.lstrip("+~"), maxsplit=1)[0].split("@")[0]


def _leaves(node: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every value of a config by its keys, unresolved; empty mappings and lists are values."""
    if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing() and len(node):
        leaves: dict[tuple[str, ...], Any] = {}
        for key in node:
            child = node._get_node(key)
            leaves |= _leaves(child, (*path, str(key)))
        return leaves
    return {path: OmegaConf.to_container(node) if OmegaConf.is_config(node) else node._value()}
