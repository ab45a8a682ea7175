"""Where a network's first weights come from: `model.pretrained`, `model.weights` and `model.weights_skip_head`.

These are no arguments of the network: once it is trained, its checkpoint has the weights, and nothing is fetched again.
"""

import math
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from litlab import checkpoint, config, console
from litlab.config import ConfigError
from litlab.console import one_line
from litlab.data import DataModule
from litlab.networks import Transfer, load_published, load_weights, preprocessing

LOOKED_AT = 5000  # training images of 32 pixels a side, or as many pixels of larger ones


def prefer_published(cfg: DictConfig, data: DataModule) -> bool:
    """With `model.pretrained=true`, fills in what the published weights want of the network and of the images, where
    the config leaves it open; returns whether that has changed the config.

    Raises:
        ConfigError: if the network has none, or the config contradicts them.
    """
    if not cfg.model.get("pretrained"):
        return False
    if len(data.input_shape) != 3 or data.input_shape[0] != 3:
        shape = " x ".join(map(str, data.input_shape))
        raise ConfigError(f"model.pretrained=true is for colour images, and data={config.choice('data')} has {shape}")
    cls = get_object(cfg.model._target_)
    if cfg.model.get("weights"):
        raise ConfigError("model.weights and model.pretrained=true contradict each other: leave one out")
    for key, value in cls.published_arguments.items():
        if cfg.model[key] not in (value, "auto", False):
            raise ConfigError(f"model.{key}={cfg.model[key]}: pretrained weights need {value}")
        cfg.model[key] = value
    for key, value in preprocessing(_published(cfg)).items():
        if key in cfg.data and (cfg.data[key] is None or cfg.data[key] is True):
            cfg.data[key] = value
    return True


def load(cfg: DictConfig, network: torch.nn.Module) -> None:
    """Loads the weights that the config asks for, if it does; warns where a backbone is frozen without any.

    Raises:
        ConfigError: if they cannot be had, or do not fit.
    """
    try:
        if cfg.model.get("pretrained"):
            assert isinstance(network, Transfer)
            load_published(network, _published(cfg))
        elif file := cfg.model.get("weights"):
            load_weights(
                network, checkpoint.read_weights(Path(file).expanduser()), bool(cfg.model.get("weights_skip_head"))
            )
        elif cfg.model.get("freeze"):
            console.warn(
                "model.freeze=backbone without weights trains the last layer on random features: "
                "add model.pretrained=true or model.weights=FILE"
            )
    except (ValueError, OSError) as error:
        key = "pretrained=true: " if cfg.model.get("pretrained") else f"weights={cfg.model.get('weights')}: "
        message = one_line(error).removeprefix(key).removeprefix(f"{cfg.model.get('weights')}: ")
        raise ConfigError(f"model.{key}{message}") from error


def look_at_data(cfg: DictConfig, network: torch.nn.Module, data: DataModule) -> None:
    """Shows the first training images, as it will see them in evaluation, to a network that has a `look_at`, and begins
    with no weights."""
    look_at = getattr(network, "look_at", None)
    if look_at and not cfg.model.get("weights"):
        shown = data.evaluation_set("train")
        count = min(LOOKED_AT, max(1, LOOKED_AT * 32**2 // math.prod(data.input_shape[1:])), len(shown))
        images, _ = data.on_after_batch_transfer(shown.__getitems__(list(range(count))), 0)
        look_at(images)


def _published(cfg: DictConfig) -> Any:
    arguments: Any = OmegaConf.to_container(cfg.model, resolve=True)
    try:
        return get_object(cfg.model._target_).published(**arguments)
    except ValueError as error:
        raise config.blame(cfg, "model", error) from error
