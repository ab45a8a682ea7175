"""Settings of `conf/predict.yaml` that predict, evaluate and export share, checked."""

import glob
import os
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from litlab import launch
from litlab.config import ConfigError
from litlab.data.picture_files import suffixes
from litlab.trust import printable


def trust_list(cfg: DictConfig) -> list[str]:
    """`trust` as a list of package names."""
    packages = [cfg.trust] if isinstance(cfg.trust, str) else list(cfg.trust or ())
    if bad := [name for name in packages if not isinstance(name, str) or not name.replace(".", "").isidentifier()]:
        raise ConfigError(f"trust={bad[0]}: must be the name of a package, or a list of them")
    return packages


def output_folder(cfg: DictConfig, default: str) -> Path:
    """The folder `output`, made if need be."""
    folder = Path(str(cfg.output or default)).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output={folder}: {error.strerror}") from error
    return folder


def device(cfg: DictConfig) -> torch.device:
    """Where a network works in one process.

    Raises:
        ConfigError: if `trainer` asks for several devices, or for a GPU that is not there.
    """
    if launch.ranks_wanted(cfg.trainer) > 1:
        raise ConfigError("trainer.devices: pictures are predicted on one device; evaluate= can use several")
    accelerator, devices = cfg.trainer.accelerator, cfg.trainer.devices
    if accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available()):
        return torch.device("cpu")
    kind = torch.accelerator.current_accelerator()
    assert kind is not None
    return torch.device(kind.type, devices[0] if OmegaConf.is_list(devices) else 0)


def find_files(cfg: DictConfig) -> list[str]:
    """The files that `input` names: files, folders (all pictures in them, at any depth) and globs, in order.

    A folder lists what has a picture's ending, even where it turns out to be a folder or a broken link.

    Raises:
        ConfigError: if a folder or a glob holds no pictures.
    """
    patterns = list(cfg.input) if OmegaConf.is_list(cfg.input) else [cfg.input]
    files: list[str] = []
    for pattern in map(os.path.expanduser, map(str, patterns)):
        if os.path.isdir(pattern):  # noqa: PTH112 (paths stay as they were typed)
            found = _pictures_in(pattern)
        elif not os.path.lexists(pattern) and glob.has_magic(pattern):
            found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        else:
            found = [pattern]  # its absence is a row like any other
        if not found:
            raise ConfigError(f"input={printable(pattern)}: no pictures there")
        files += found
    if not files:
        raise ConfigError("input=[]: names no file")
    return list(dict.fromkeys(files))


def _pictures_in(folder: str) -> list[str]:
    endings = suffixes()
    found = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        looks_like = [name for name in folders if Path(name).suffix.lower() in endings]
        folders[:] = [name for name in folders if name not in looks_like and not name.startswith(".")]
        names = sorted([*looks_like, *(name for name in files if not name.startswith("."))])
        found += [os.path.join(parent, name) for name in names if Path(name).suffix.lower() in endings]  # noqa: PTH118
    return found
