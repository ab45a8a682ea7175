"""Finds the setting that a user means by a name that is none."""

import contextlib
import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from litlab.cli.settings import ACROSS

# What other programs, and courses, call a setting of litlab. The first key that the script has is meant.
OTHER_WORDS: dict[str, Sequence[str]] = {
    "accelerator": ("trainer.accelerator",),
    "architecture": ("model",),
    "arch": ("model",),
    "bs": ("data.batch_size", "batch_size"),
    "checkpoint": ("ckpt",),
    "checkpoint_path": ("ckpt", "resume"),
    "criterion": ("loss",),
    "data_path": ("data.data_dir",),
    "dataset": ("data",),
    "early_stopping": ("callbacks.early_stopping.enabled",),
    "epoch": ("trainer.max_epochs",),
    "epochs": ("trainer.max_epochs",),
    "file": ("input",),
    "folder": ("input", "data.data_dir"),
    "gpu": ("trainer.devices",),
    "gpus": ("trainer.devices",),
    "image": ("input",),
    "images": ("input",),
    "learning_rate": ("optimizer.lr",),
    "lr_scheduler": ("scheduler",),
    "metric": ("objective",),
    "n_epochs": ("trainer.max_epochs",),
    "net": ("model",),
    "network": ("model",),
    "nesterov_momentum": ("optimizer.nesterov",),
    "num_epochs": ("trainer.max_epochs",),
    "num_gpus": ("trainer.devices",),
    "optim": ("optimizer",),
    "path": ("input", "data.data_dir"),
    "picture": ("input",),
    "pictures": ("input",),
    "pretrained": ("model.pretrained",),
    "random_seed": ("seed",),
    "root": ("data.data_dir",),
    "split": ("evaluate",),
    "steps": ("trainer.max_steps",),
    "val_split": ("data.val_size",),
    "wd": ("optimizer.weight_decay",),
    "workers": ("data.num_workers", "num_workers"),
}


class Keys:
    """The settings of a script, for messages. Nothing is composed before a message needs it.

    Args:
        conf: the folder of configs.
        config_name: such as `train`.
        arguments: the command line.
        wrong: the key among them that there is not; it is left out.
    """

    def __init__(self, conf: Path, config_name: str, arguments: Sequence[str] = (), wrong: str | None = None) -> None:
        self.conf, self.config_name, self.arguments, self.wrong = conf, config_name, arguments, wrong

    @cached_property
    def cfg(self) -> DictConfig | None:
        """The config of the command line, without what is wrong in it.

        Other overrides may be wrong too, or be those of a sweep. Then it is the config without any.
        """
        overrides = [arg for arg in self.arguments if re.match(r"[\w@/.]+=", arg) and arg.split("=")[0] != self.wrong]
        GlobalHydra.instance().clear()
        with hydra.initialize_config_dir(str(self.conf), version_base="1.3"):
            for some in ([o for o in overrides if not o.startswith("hydra")], []):
                with contextlib.suppress(Exception):
                    return hydra.compose(self.config_name, some)
        return None

    @cached_property
    def all(self) -> list[str]:
        """All keys, such as `optimizer` and `optimizer.lr`."""
        return [] if self.cfg is None else list(_keys(OmegaConf.to_container(self.cfg, resolve=False)))

    def meant(self, name: str, *, close: bool = True) -> list[str]:
        """The settings that `name` may mean: under another word, with another group, or nearly spelled like it.

        Args:
            name: what the user wrote, such as `lr` or `data.lr`.
            close: whether a name that is only similar counts too.
        """
        last = name.replace("-", "_").replace("/", ".").rpartition(".")[2].lower()
        if known := [key for key in OTHER_WORDS.get(last, ()) if key in self.all]:
            return known[:1]
        ends: dict[str, list[str]] = {}
        for key in self.all:
            ends.setdefault(key.rpartition(".")[2], []).append(key)
        for option in difflib.get_close_matches(last, ends, n=1, cutoff=0.8 if close else 1.0):
            return sorted(ends[option], key=lambda key: (key.count("."), key))
        return []

    def options_with(self, name: str) -> list[str]:
        """`optimizer=sgd` for `momentum`: the options, not chosen here, that have a setting of this name."""
        group, _, last = name.rpartition(".")
        files = sorted(self.conf.glob(f"{group or '*'}/*.yaml"))
        return [f"{f.parent.name}={f.stem}" for f in files if f.parent.name not in ACROSS and last in _top_keys(f)]


def _keys(plain: Any, prefix: str = "") -> Iterator[str]:
    for key, value in plain.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


def _top_keys(file: Path) -> list[str]:
    content = OmegaConf.load(file)
    return [str(key) for key in content] if isinstance(content, DictConfig) else []
