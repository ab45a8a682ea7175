"""Finds the setting that a user means by a name that is none."""

import contextlib
import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from litlab.cli.settings import ACROSS
from litlab.config import SWITCHES

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

SCRIPTS = ("train", "predict")
# Settings of a group that both scripts take, which only a training uses.
OF_TRAINING = (
    *("trainer.max_epochs", "trainer.max_steps", "trainer.max_time", "trainer.log_every_n_steps"),
    *("trainer.gradient_clip_val", "trainer.accumulate_grad_batches", "trainer.num_sanity_val_steps"),
    *("trainer.check_val_every_n_epoch", "trainer.val_check_interval", "trainer.detect_anomaly"),
    *("trainer.limit_train_batches", "trainer.limit_val_batches", "trainer.limit_test_batches"),
)


def is_multirun(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for a sweep."""
    return not {"-m", "--multirun", "hydra.mode=MULTIRUN"}.isdisjoint(arguments)


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
        self.fitting: Sequence[str] = ()  # of the arguments, those with which a config can be composed

    @cached_property
    def cfg(self) -> DictConfig | None:
        """The config of the command line, without what is wrong in it.

        Other overrides may be wrong too, or be those of a sweep. Then it is the config with the options alone, else
        the one without any.
        """
        composed = self._composed
        if composed is None:
            return None
        with open_dict(cfg := composed.copy()):
            del cfg["hydra"]
        return cfg

    @cached_property
    def _composed(self) -> DictConfig | None:
        """The same with the part of Hydra, which knows the options."""
        overrides = [arg for arg in self.arguments if re.match(r"[\w@/.]+=", arg) and arg.split("=")[0] != self.wrong]
        overrides = [override for override in overrides if not override.startswith("hydra")]
        for self.fitting in (overrides, [o for o in overrides if self._is_option(o)], []):
            with contextlib.suppress(Exception):
                return self.compose([])
        return None

    def compose(self, more: Sequence[str]) -> DictConfig:
        """The config of the command line with more overrides.

        Raises:
            HydraException: if they do not fit.
        """
        GlobalHydra.instance().clear()
        with hydra.initialize_config_dir(str(self.conf), version_base="1.3"):
            return hydra.compose(self.config_name, [*self.fitting, *more], return_hydra_config=True)

    def _is_option(self, override: str) -> bool:
        group, _, option = override.partition("=")
        return option in self.options(group)

    def chosen(self, group: str) -> Path | None:
        """The file of the option of a group that is chosen, if it is one of litlab's own."""
        option = None if self._composed is None else self._composed.hydra.runtime.choices.get(group)
        file = self.conf / group / f"{option}.yaml"
        return file if file.is_file() else None

    @property
    def is_sweep(self) -> bool:
        """Whether the command line asks for a sweep."""
        return is_multirun(self.arguments)

    @cached_property
    def all(self) -> list[str]:
        """All keys that the script uses, such as `optimizer` and `optimizer.lr`."""
        found = [] if self.cfg is None else _keys(OmegaConf.to_container(self.cfg, resolve=False))
        return [key for key in found if not self.leaves_out(key)]

    @cached_property
    def groups(self) -> list[str]:
        """The groups from which the script takes options, such as `optimizer`."""
        defaults = yaml.safe_load((self.conf / f"{self.config_name}.yaml").read_text("utf-8")).get("defaults", [])
        return sorted(group for entry in defaults if isinstance(entry, dict) for group in entry)

    def leaves_out(self, key: str) -> bool:
        """Whether the script takes a setting with its group, and does not use it."""
        return self.config_name != "train" and key in OF_TRAINING

    def options(self, group: str) -> list[str]:
        """The options of a group; none if the script has no such group."""
        return sorted(file.stem for file in (self.conf / group).glob("*.yaml")) if group in self.groups else []

    def group_of(self, option: str) -> str | None:
        """The first group that has an option of this name."""
        return next((group for group in self.groups if option in self.options(group)), None)

    def meant(self, name: str, *, close: bool = True) -> list[str]:
        """The settings that `name` may mean: under another word, with another group, or nearly spelled like it.

        Args:
            name: what the user wrote, such as `lr` or `data.lr`.
            close: whether a name that is only similar counts too.
        """
        before, _, last = name.replace("-", "_").replace("/", ".").lower().rpartition(".")
        if last in SWITCHES:
            owners = {key.split(".")[-2]: key for key in self.all if key.endswith(f".{last}")}
            found = difflib.get_close_matches(before.rpartition(".")[2], owners, n=1, cutoff=0.8 if close else 1.0)
            return [owners[owner] for owner in found]
        if known := [key for key in OTHER_WORDS.get(last, ()) if key in self.all]:
            return known[:1]
        ends: dict[str, list[str]] = {}
        for key in self.all:
            ends.setdefault(key.rpartition(".")[2], []).append(key)
        near = [end for end in ends if end[0] == last[:1]]  # batch_size is not meant by patch_size
        for option in difflib.get_close_matches(last, near, n=1, cutoff=self._likeness(name) if close else 1.0):
            return sorted(ends[option], key=lambda key: (key.count("."), key))
        return []

    def _likeness(self, name: str) -> float:
        """How like a setting must be to what was written. After a group that there is, only a slip in its last part."""
        return 0.9 if name.partition(".")[0] in self.groups and "." in name else 0.8

    def options_with(self, name: str) -> list[str]:
        """`optimizer=sgd` for `momentum`: the options, not chosen here, that have a setting of this name."""
        group, _, last = name.rpartition(".")
        found = [group] if group else [group for group in self.groups if group not in ACROSS]
        found = [group for group in found if not self.leaves_out(f"{group}.{last}")]
        files = [self.conf / group / f"{option}.yaml" for group in found for option in self.options(group)]
        return [f"{f.parent.name}={f.stem}" for f in files if last in _top_keys(f) and f.stem != "none"]

    def other_script(self, name: str) -> str | None:
        """`train` or `predict`: the other script, if it has a setting, a group or an option of this name alone."""
        if self._has(name):
            return None
        return next((script for script in SCRIPTS if Keys(self.conf, script)._has(name)), None)

    def _has(self, name: str) -> bool:
        return bool(
            name in self.groups or self.meant(name, close=False) or self.options_with(name) or self.group_of(name)
        )


def _keys(plain: Any, prefix: str = "") -> Iterator[str]:
    for key, value in plain.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


def _top_keys(file: Path) -> list[str]:
    content = OmegaConf.load(file)
    return [str(key) for key in content] if isinstance(content, DictConfig) else []
