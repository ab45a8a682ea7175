"""The first weights of a network: `model.pretrained`, `model.weights` and `model.weights_skip_head`.

These settings are no arguments of the network. A resumed run does not need them: its checkpoint holds the weights.
"""

import math
from pathlib import Path
from typing import Any

from torch import nn

from litlab.checkpoint import read_weights
from litlab.config import Run, class_of, own_model_keys
from litlab.console import warn
from litlab.data import DataModule
from litlab.errors import ConfigError, one_line
from litlab.networks import Transfer, load_published, load_weights, preprocessing, with_frozen_backbone
from litlab.runs import BEST

SHOWN = 5000  # training images of 32 x 32 pixels; of larger images, as many as have the same number of pixels


def settings_for_pretrained(run: Run, data: DataModule) -> dict[str, Any]:
    """The settings that published weights need, where the config leaves them open (`model.pretrained=true`).

    Returns:
        Values by key, such as `{"data.image_size": 224}`; nothing without `model.pretrained`.

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
    kind = class_of(run.cfg, "model")
    if not (isinstance(kind, type) and issubclass(kind, Transfer)):
        raise ConfigError(
            f"model.pretrained=true: {kind.__name__} has no published weights; write model.pretrained=false, "
            "or begin from a file, model.weights=FILE"
        )
    settings: dict[str, Any] = {}
    for key, value in kind.published_arguments.items():
        if model[key] not in (value, "auto", False):
            raise ConfigError(f"model.{key}={model[key]}: pretrained weights need {value}")
        settings[f"model.{key}"] = value
    for key, value in preprocessing(_published(run.settled(**settings))).items():
        if key in run.cfg.data and (run.cfg.data[key] is None or run.cfg.data[key] is True):
            settings[f"data.{key}"] = value
    return settings


def frozen(run: Run, network: nn.Module) -> nn.Module:
    """The network, with a frozen backbone if the config says so and the network has no argument for that.

    Raises:
        ConfigError: if it has no last linear layer.
    """
    model = run.cfg.model
    if not model.get("freeze") or "freeze" not in own_model_keys(model):
        return network
    try:
        return with_frozen_backbone(network)
    except ValueError as error:
        raise run.blame("model", error) from error


def load(run: Run, network: nn.Module) -> None:
    """Loads the weights that the config asks for, if any. Warns if a backbone is frozen without them.

    Raises:
        ConfigError: if the weights cannot be had, or do not fit.
    """
    model = run.cfg.model
    file = model.get("weights")
    try:
        if model.get("pretrained"):
            assert isinstance(network, Transfer)
            load_published(network, _published(run))
        elif file:
            if Path(file).expanduser().is_dir():
                raise ValueError(f"is a folder; name a file in it, such as {Path(file) / BEST}")
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
    """Shows training images to a network whose first weights depend on them: one with a method `look_at`.

    The images are preprocessed as in evaluation. Does nothing if the network begins with the weights of a file.
    """
    look_at = getattr(network, "look_at", None)
    if look_at and not run.cfg.model.get("weights"):
        images = data.evaluation_set("train")
        count = min(SHOWN, max(1, SHOWN * 32**2 // math.prod(data.input_shape[1:])), len(images))
        inputs, targets = images.__getitems__(list(range(count)))
        look_at(data.preprocess(inputs, targets, training=False)[0])


def _published(run: Run) -> Any:
    """torchvision's weights for the configured network."""
    try:
        return class_of(run.cfg, "model").published(**run.plain()["model"])
    except ValueError as error:
        raise run.blame("model", error) from error
