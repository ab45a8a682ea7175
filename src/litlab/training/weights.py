"""Where a network's first weights come from: `model.pretrained`, `model.weights` and `model.weights_skip_head`.

These are no arguments of the network. Once it is trained its checkpoint has the weights, and nothing is fetched again.
"""

import math
from pathlib import Path
from typing import Any

from torch import nn

from litlab.checkpoint import read_weights
from litlab.config import Run, class_of
from litlab.console import warn
from litlab.data import DataModule
from litlab.errors import ConfigError, one_line
from litlab.networks import Transfer, load_published, load_weights, preprocessing

LOOKED_AT = 5000  # training images of 32 pixels a side, or as many pixels of larger ones


def wanted_by_published(run: Run, data: DataModule) -> dict[str, Any]:
    """What published weights want of network and images, where the config leaves it open (`model.pretrained=true`).

    Returns:
        Values by their keys, such as `data.image_size`; empty without `model.pretrained`.

    Raises:
        ConfigError: if the network has no published weights, or the config contradicts them.
    """
    model = run.cfg.model
    if not model.get("pretrained"):
        return {}
    if len(data.input_shape) != 3 or data.input_shape[0] != 3:
        shape = " x ".join(map(str, data.input_shape))
        raise ConfigError(f"model.pretrained=true is for colour images, and {run.option('data')} has {shape}")
    if model.get("weights"):
        raise ConfigError("model.weights and model.pretrained=true contradict each other: leave one out")
    wanted: dict[str, Any] = {}
    for key, value in class_of(run.cfg, "model").published_arguments.items():
        if model[key] not in (value, "auto", False):
            raise ConfigError(f"model.{key}={model[key]}: pretrained weights need {value}")
        wanted[f"model.{key}"] = value
    for key, value in preprocessing(_published(run.settled(**wanted))).items():
        if key in run.cfg.data and (run.cfg.data[key] is None or run.cfg.data[key] is True):
            wanted[f"data.{key}"] = value
    return wanted


def load(run: Run, network: nn.Module) -> None:
    """Loads the weights that the config asks for, if it does; warns where a backbone is frozen without any.

    Raises:
        ConfigError: if they cannot be had, or do not fit.
    """
    model = run.cfg.model
    file = model.get("weights")
    try:
        if model.get("pretrained"):
            assert isinstance(network, Transfer)
            load_published(network, _published(run))
        elif file:
            load_weights(network, read_weights(Path(file).expanduser()), bool(model.get("weights_skip_head")))
        elif model.get("freeze"):
            warn(
                "model.freeze=backbone without weights trains the last layer on random features: "
                "add model.pretrained=true or model.weights=FILE"
            )
    except (ValueError, OSError) as error:
        key = "pretrained=true: " if model.get("pretrained") else f"weights={file}: "
        message = one_line(error).removeprefix(key).removeprefix(f"{file}: ")
        raise ConfigError(f"model.{key}{message}") from error


def show_data(run: Run, network: nn.Module, data: DataModule) -> None:
    """Shows the first training images to a network that has a `look_at`, as it will see them in evaluation.

    Does nothing where it begins with weights from a file.
    """
    look_at = getattr(network, "look_at", None)
    if look_at and not run.cfg.model.get("weights"):
        images = data.evaluation_set("train")
        count = min(LOOKED_AT, max(1, LOOKED_AT * 32**2 // math.prod(data.input_shape[1:])), len(images))
        inputs, targets = images.__getitems__(list(range(count)))
        look_at(data.preprocess(inputs, targets, training=False)[0])


def _published(run: Run) -> Any:
    try:
        return class_of(run.cfg, "model").published(**run.plain()["model"])
    except ValueError as error:
        raise run.blame("model", error) from error
